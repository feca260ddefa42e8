import { isUserId } from '../../core/users/user-id.js'
import { DESTINATIONS } from './destinations.js'
import { type PageParts, seeOther, sendPage } from './page.js'
import { Login } from './views/login.js'
import { visitOf } from './visit.js'

/** At most 64 characters, all of them visible, no space at either end. */
const NAME = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u

/** POST /login: signs in whoever types a name. There only where nothing but a trial can be meant: see Config.demoSignIn. */
export function signInByName({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/login',
    onRequest: app.limits.perAddress('sign-in'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const { name } = request.body as { name?: unknown }
      const trimmed = typeof name === 'string' ? name.trim() : ''
      if (!NAME.test(trimmed) || !isUserId(trimmed)) {
        return sendPage(reply.code(400), Login, {
          visit,
          upstreams: app.core.signIn.upstreams,
          isDemo: true,
          isNameInvalid: true
        })
      }
      if (visit.session) await app.core.browserSessions.end(visit.session)
      const { token } = await app.core.signIn.asTyped(trimmed)
      app.metrics.countSignIn('signed_in')
      cookies.session.set(reply, token)
      cookies.visitor.clear(reply)
      return seeOther(reply, visit, DESTINATIONS[visit.visitor?.destination ?? 'device'])
    }
  })
}
