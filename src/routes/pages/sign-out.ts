import { type PageParts, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

/** POST /logout: ends the session, here and in the store. */
export function signOut({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/logout',
    onRequest: visits.requireSession('device'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      await app.core.browserSessions.end(sessionOf(request))
      for (const cookie of Object.values(cookies)) cookie.clear(reply)
      return seeOther(reply, visitOf(request), '/login?done=signed-out')
    }
  })
}
