import { type PageParts, sendPage } from './page.js'
import { Start } from './views/start.js'
import { visitOf } from './visit.js'

/** GET /: what this is, and a place for the code, which survives signing in. */
export function showStart({ app, visits }: PageParts): void {
  const { demoSignIn: isDemo } = app.config
  // The documentation has no base path. Where a proxy takes the base path away, it is the proxy's to be linked with.
  const docsPath = app.prefix === '' ? undefined : '/docs'

  app.get('/', async (request, reply) => {
    const visit = visitOf(request)
    // The form of a stranger is bound to a cookie, as it is on the page to sign in on.
    const seen = visit.session ? visit : visits.remember(request, reply, {})
    return sendPage(reply, Start, { visit: seen, isDemo, docsPath: docsPath ?? `${visit.base}/docs` })
  })
}
