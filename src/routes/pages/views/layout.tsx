/** What all pages have in common. No page holds a script or a style of its own, and what is shown is escaped by default. */
import type { ComponentChildren, VNode } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { CSRF_FIELD, type Visit } from '../visit.js'

interface LayoutProps {
  visit: Visit
  title: string
  /** Which entry of the navigation this page is. */
  here?: 'device' | 'clients' | 'connections' | undefined
  /** Whether there is something to decide first, before anybody goes elsewhere: then there is no navigation. */
  isAlone?: boolean
  /** Whether the page says that what somebody came for is done. */
  isDone?: boolean
  children: ComponentChildren
}

export function Layout({ visit, title, here, isAlone = false, isDone = false, children }: LayoutProps) {
  const { texts, base, language, session, serviceName, assets } = visit
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{`${title} · ${serviceName}`}</title>
        <link rel="stylesheet" href={base + assets.stylesheet.url} />
        <link rel="icon" type={assets.icon.type} href={base + assets.icon.url} />
      </head>
      <body>
        <a class="skip" href="#content">
          {texts.skipToContent}
        </a>
        <header>
          <div class="bar">
            <Service visit={visit} />
            {session && (
              <p class="account">
                <bdi class="who">{texts.signedInAs(session.name)}</bdi>
                <a href={`${base}/logout`}>{texts.nav.signOut}</a>
              </p>
            )}
          </div>
          {session && !isAlone && <Navigation visit={visit} here={here} />}
        </header>
        <main id="content" tabIndex={-1} class={isDone ? 'done' : undefined}>
          <h1>{title}</h1>
          {children}
        </main>
        <Footer visit={visit} />
      </body>
    </html>
  )
}

/** What the operator calls the service, or their logo, which says the same. */
function Service({ visit: { base, assets, serviceName } }: { visit: Visit }) {
  const { icon, logo } = assets
  return (
    <p class="service">
      {logo ? (
        <img src={base + logo.url} alt={serviceName} />
      ) : (
        <>
          <img src={base + icon.url} alt="" />
          {serviceName}
        </>
      )}
    </p>
  )
}

const ENTRIES = { device: '/device', clients: '/account/clients', connections: '/account/connections' } as const

function Navigation({ visit: { base, texts }, here }: Pick<LayoutProps, 'visit' | 'here'>) {
  return (
    <nav aria-label={texts.nav.label}>
      <ul>
        {(Object.keys(ENTRIES) as (keyof typeof ENTRIES)[]).map((entry) => (
          <li key={entry}>
            <a href={base + ENTRIES[entry]} aria-current={entry === here ? 'page' : undefined}>
              {texts.nav[entry]}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

function Footer({ visit: { texts, base, version } }: { visit: Visit }) {
  return (
    <footer>
      <a href={`${base}/`}>{texts.about}</a>
      {version && <small>{texts.version(version)}</small>}
    </footer>
  )
}

interface FormProps {
  visit: Visit
  /** Path under the base. */
  action: string
  class?: string
  /** Whether its fields are checked here alone, and not by the browser as well. */
  isCheckedHere?: boolean
  children: ComponentChildren
}

/** A form that is sent with the visitor's token, the only kind there is. */
export function Form({ visit, action, class: className, isCheckedHere = false, children }: FormProps) {
  return (
    <form method="post" action={visit.base + action} class={className} noValidate={isCheckedHere}>
      <input type="hidden" name={CSRF_FIELD} value={visit.csrfToken} />
      {children}
    </form>
  )
}

/** Something that was done, or could not be. */
export function Notice({ kind, children }: { kind: 'done' | 'problem'; children: ComponentChildren }) {
  return (
    <p class={`notice ${kind}`} role={kind === 'done' ? 'status' : 'alert'}>
      {children}
    </p>
  )
}

export function renderPage(page: VNode): string {
  return `<!doctype html>${renderToString(page)}`
}
