/** The page to sign in on, and signing in there by name. Signing in through an upstream is begin-sign-in.ts and finish-sign-in.ts. */
import { readTypedName } from '../../core/users/user-id.js'
import { DESTINATIONS } from './cookies.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { Login } from './views/login.js'
import { visitOf } from './visit.js'

/** GET /login: the ways to sign in. A user who is signed in, and need not sign in again, goes on at once. */
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

/** POST /login: signs in whoever types a name. The route exists for trials alone: see Config.demoSignIn. */
export function signInByName({ app, cookies, visits, codes }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/login',
    onRequest: app.limits.perAddress('sign-in'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const name = readTypedName((request.body as { name?: unknown }).name)
      if (name === undefined) {
        const { upstreams } = app.core.signIn
        return sendPage(reply.code(400), Login, { visit, upstreams, isDemo: true, isNameInvalid: true })
      }
      if (visit.session) await app.core.browserSessions.end(visit.session)
      const { token, session } = await app.core.signIn.asTyped(name)
      app.metrics.countSignIn('signed_in')
      cookies.session.set(reply, token)
      codes.handOver(request, reply, session)
      cookies.visitor.clear(reply)
      return seeOther(reply, visit, DESTINATIONS[visit.visitor?.destination ?? 'device'])
    }
  })
}
