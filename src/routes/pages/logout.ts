/** Signing out of the pages. */
import { type PageParts, seeOther, sendPage } from './page.js'
import { Logout } from './views/login.js'
import { sessionOf, visitOf } from './visit.js'

/** GET /logout: asks first, so that no link can sign anybody out. */
export function showLogout({ app }: PageParts): void {
  app.get('/logout', async (request, reply) => {
    const visit = visitOf(request)
    return visit.session ? sendPage(reply, Logout, { visit }) : seeOther(reply, visit, '/login')
  })
}

/** POST /logout: ends the session, in the browser and in the store. */
export function signOut({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/logout',
    onRequest: visits.requireSession('device'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      await app.core.browserSessions.end(sessionOf(request))
      for (const name of ['session', 'enteredCode', 'visitor'] as const) cookies[name].clear(reply)
      return seeOther(reply, visitOf(request), '/login?done=signed-out')
    }
  })
}
