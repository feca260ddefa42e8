/** The links between pages, below the bar. */
import type { Visit } from '../visit.js'

const ENTRIES = { device: '/device', clients: '/account/clients', connections: '/account/connections' } as const
export type AccountPage = keyof typeof ENTRIES

export interface NavigationProps {
  /** What it leads around in. */
  label: string
  entries: readonly { path: string; text: string; isHere: boolean }[]
}

/** The navigation of an account. `here` is the entry of the page. */
export function ofAccount({ texts: { nav } }: Visit, here: AccountPage | undefined): NavigationProps {
  const names = Object.keys(ENTRIES) as AccountPage[]
  return {
    label: nav.label,
    entries: names.map((name) => ({ path: ENTRIES[name], text: nav[name], isHere: name === here }))
  }
}

export function Navigation({ base, label, entries }: NavigationProps & { base: string }) {
  return (
    <nav aria-label={label}>
      <ul>
        {entries.map(({ path, text, isHere }) => (
          <li key={path}>
            <a href={base + path} aria-current={isHere ? 'page' : undefined}>
              {text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}
