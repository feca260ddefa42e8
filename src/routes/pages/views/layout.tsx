/** What all pages have in common. No page holds a script or a style of its own, and what is shown is escaped by default. */
import type { ComponentChildren, VNode } from 'preact'
import { renderToString } from 'preact-render-to-string'
import { ICON, STYLESHEET } from '../assets.js'
import { CSRF_FIELD, type Visit } from '../visit.js'

interface LayoutProps {
  visit: Visit
  title: string
  /** Which entry of the navigation this page is. */
  here?: 'device' | 'clients' | 'connections'
  children: ComponentChildren
}

export function Layout({ visit, title, here, children }: LayoutProps) {
  const { texts, base, language, session, serviceName } = visit
  const entries = { device: '/device', clients: '/account/clients', connections: '/account/connections' } as const
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{`${title} · ${serviceName}`}</title>
        <link rel="stylesheet" href={base + STYLESHEET.url} />
        <link rel="icon" type={ICON.type} href={base + ICON.url} />
      </head>
      <body>
        <a class="skip" href="#content">
          {texts.skipToContent}
        </a>
        <header>
          <p class="service">{serviceName}</p>
          {session && (
            <nav aria-label={texts.nav.label}>
              <ul>
                {(Object.keys(entries) as (keyof typeof entries)[]).map((entry) => (
                  <li key={entry}>
                    <a href={base + entries[entry]} aria-current={entry === here ? 'page' : undefined}>
                      {texts.nav[entry]}
                    </a>
                  </li>
                ))}
                <li>
                  <a href={`${base}/logout`}>{texts.nav.signOut}</a>
                </li>
              </ul>
              <p class="who">
                <bdi>{texts.signedInAs(session.name)}</bdi>
              </p>
            </nav>
          )}
        </header>
        <main id="content" tabIndex={-1}>
          <h1>{title}</h1>
          {children}
        </main>
        <Footer visit={visit} />
      </body>
    </html>
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
  children: ComponentChildren
}

/** A form that is sent with the visitor's token, the only kind there is. */
export function Form({ visit, action, class: className, children }: FormProps) {
  return (
    <form method="post" action={visit.base + action} class={className}>
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
