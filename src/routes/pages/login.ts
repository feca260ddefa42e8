/** Signing in and out: the sign-in page, the redirect to an upstream, and the demo sign-in. finish-sign-in.ts handles the callback. */
import { fault } from '../../core/fault.js'
import { readTypedName } from '../../core/users/user.js'
import { withBegun } from './cookies.js'
import { pathTo } from './heading.js'
import { isFollowedHere, type PageParts, PathId, seeOther, sendPage } from './page.js'
import { Login, Logout } from './views/login.js'
import { sessionOf, visitOf } from './visit.js'

/** What a sign-in is for (asks.ts), as its links and forms name it. */
const askIn = (sent: unknown) => (sent as { ask?: unknown } | null)?.ask

/** GET /login: the ways to sign in. A signed-in user who need not reauthenticate is redirected to the destination. */
export function showLogin({ app, visits, asks }: PageParts): void {
  app.get('/login', async (request, reply) => {
    const heading = asks.headingOf(request, askIn(request.query))
    const { session } = visitOf(request)
    if (session && !heading.reauthenticates) return seeOther(reply, visitOf(request), pathTo(heading))
    const visit = visits.remember(request, reply, heading)
    const hasSignedOut = (request.query as { done?: unknown }).done === 'signed-out'
    const { upstreams } = app.core.signIn
    return sendPage(reply, Login, { visit, upstreams, isDemo: app.config.demoSignIn, hasSignedOut })
  })
}

/** GET /login/{upstream}: redirects to the upstream; only the sign-in page may link here. HEAD begins nothing. */
export function beginSignIn({ app, visits, asks }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/login/:id',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: app.limits.perAddress('sign-in'),
    handler: async (request, reply) => {
      const upstream = app.core.signIn.upstream(request.params.id)
      if (!upstream?.signsIn) throw fault('not_found')
      const visit = visitOf(request)
      if (request.method === 'HEAD' || !isFollowedHere(request)) return seeOther(reply, visit, '/login')
      const { reauthenticates = false, ...heading } = asks.headingOf(request, askIn(request.query))
      const { url, attempt } = await app.core.signIn.begin(upstream.id, { reauthenticates })
      const one = { providerId: upstream.id, state: attempt.state, ...heading, attempt }
      visits.remember(request, reply, { begun: withBegun(visit.visitor?.begun, one) })
      return reply.redirect(url.href, 303)
    }
  })
}

/** POST /login: the demo sign-in by a typed name, which exists only with Config.demoSignIn. */
export function signInByName({ app, cookies, visits, codes, asks }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/login',
    onRequest: app.limits.perAddress('sign-in'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const heading = asks.headingOf(request, askIn(request.body))
      const name = readTypedName((request.body as { name?: unknown }).name)
      if (name === undefined) {
        const { upstreams } = app.core.signIn
        const again = visits.remember(request, reply, heading)
        return sendPage(reply.code(400), Login, { visit: again, upstreams, isDemo: true, isNameInvalid: true })
      }
      if (visit.session) await app.core.browserSessions.end(visit.session)
      const { token, session } = await app.core.signIn.asTyped(name, app.whereabouts.whence(request))
      app.metrics.countSignIn('signed_in')
      cookies.session.set(reply, token)
      codes.handOver(request, reply, session)
      cookies.visitor.clear(reply)
      return seeOther(reply, visit, pathTo(heading))
    }
  })
}

/** GET /logout: asks for confirmation, so that no link can sign a user out. */
export function showLogout({ app, asks }: PageParts): void {
  app.get('/logout', async (request, reply) => {
    const visit = visitOf(request)
    const askId = asks.read(request, askIn(request.query))?.id
    return visit.session
      ? sendPage(reply, Logout, { visit: visitOf(request), askId })
      : seeOther(reply, visit, '/login')
  })
}

/** POST /logout: deletes the session in the browser and in the store. */
export function signOut({ app, cookies, visits, asks }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/logout',
    onRequest: visits.requireSession('device'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      await app.core.browserSessions.signOut(sessionOf(request), app.whereabouts.whence(request))
      for (const name of ['session', 'enteredCode', 'visitor'] as const) cookies[name].clear(reply)
      // What a program asks for is no secret of whoever leaves: somebody else may be the one to answer.
      const ask = asks.read(request, askIn(request.body))
      return seeOther(reply, visitOf(request), `/login?done=signed-out${ask ? `&ask=${ask.id}` : ''}`)
    }
  })
}
