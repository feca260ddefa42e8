/** What the admin pages have in common: their navigation, how a list goes on, and how an id is shown. */
import type { ComponentChildren } from 'preact'
import { spellOut } from '../../../../core/grants/self-description.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Layout } from '../layout.js'

export interface AdminFrameProps {
  visit: Visit
  title: string
  /** The entry of the navigation; none on a page about a user. */
  here?: 'search' | 'pending' | 'events' | undefined
  children: ComponentChildren
}

const PATHS = {
  search: '/admin',
  pending: '/admin/grants',
  events: '/admin/events',
  account: '/account/clients'
} as const
const ENTRIES = ['search', 'pending', 'events', 'account'] as const

export function AdminFrame({ visit, title, here, children }: AdminFrameProps) {
  const { nav } = adminTexts
  const entries = ENTRIES.map((name) => ({ path: PATHS[name], text: nav[name], isHere: name === here }))
  return (
    <Layout visit={visit} title={title} navigation={{ label: nav.label, entries }}>
      {children}
    </Layout>
  )
}

/** An id, to be compared letter by letter. */
export function Exactly({ children }: { children: string }) {
  return (
    <code>
      <bdi>{spellOut(children)}</bdi>
    </code>
  )
}

interface OnwardsProps {
  /** The URLs of the first page, if this is another one, and of the next, if there is one. */
  first: string | undefined
  next: string | undefined
}

/** The links between the pages of a list. */
export function Onwards({ first, next }: OnwardsProps) {
  if (first === undefined && next === undefined) return null
  return (
    <p class="pages">
      {first !== undefined && <a href={first}>{adminTexts.firstPage}</a>}{' '}
      {next !== undefined && (
        <a rel="next" href={next}>
          {adminTexts.nextPage}
        </a>
      )}
    </p>
  )
}
