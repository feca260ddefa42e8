import { DESTINATIONS } from './destinations.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { Login } from './views/login.js'
import { visitOf } from './visit.js'

/** GET /login: the ways to sign in. Whoever is signed in, and need not again, goes on at once. */
export function showLogin({ app, visits }: PageParts): void {
  app.get('/login', async (request, reply) => {
    const { session, visitor } = visitOf(request)
    if (session && !visitor?.reauthenticates) {
      return seeOther(reply, visitOf(request), DESTINATIONS[visitor?.destination ?? 'device'])
    }
    const visit = visits.remember(request, reply, {})
    const hasSignedOut = (request.query as { done?: unknown }).done === 'signed-out'
    const { upstreams } = app.core.signIn
    return sendPage(reply, Login, { visit, upstreams, isDemo: app.config.demoSignIn, hasSignedOut })
  })
}
