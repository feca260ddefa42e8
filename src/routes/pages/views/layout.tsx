/** The frame of all pages. No page contains a script or inline style, and all text is escaped by default. */
import type { ComponentChildren } from 'preact'
import { CSRF_FIELD } from '../form-tokens.js'
import type { Visit } from '../visit.js'
import { type AccountPage, Navigation, type NavigationProps, ofAccount } from './navigation.js'

interface LayoutProps {
  visit: Visit
  title: string
  /** The navigation entry of this page. */
  here?: AccountPage | undefined
  /** Another navigation than that of an account. */
  navigation?: NavigationProps
  /** Whether the page asks for a decision; then it has no navigation. */
  isAlone?: boolean
  /** Whether the page reports that the user's task is done. */
  isDone?: boolean
  /** Where the browser goes on to at once. */
  onward?: string
  children: ComponentChildren
}

export function Layout(props: LayoutProps) {
  const { visit, title, here, navigation = ofAccount(visit, here), isAlone = false, isDone = false } = props
  const { onward, children } = props
  const { texts, base, language, session, serviceName, assets } = visit
  return (
    <html lang={language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        {onward !== undefined && <meta http-equiv="refresh" content={`0;url=${onward}`} />}
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
          {session && !isAlone && <Navigation base={base} {...navigation} />}
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

/** The operator's logo, or else the service's name. */
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
  /** Whether the browser leaves the validation of the fields to the server (`novalidate`). */
  isCheckedHere?: boolean
  children: ComponentChildren
}

/** A form with the visitor's CSRF token; every form of the pages is one. */
export function Form({ visit, action, class: className, isCheckedHere = false, children }: FormProps) {
  return (
    <form method="post" action={visit.base + action} class={className} noValidate={isCheckedHere}>
      <input type="hidden" name={CSRF_FIELD} value={visit.csrfToken} />
      {children}
    </form>
  )
}

/** A notice that something was done or failed. */
export function Notice({ kind, children }: { kind: 'done' | 'problem'; children: ComponentChildren }) {
  return (
    <p class={`notice ${kind}`} role={kind === 'done' ? 'status' : 'alert'}>
      {children}
    </p>
  )
}
