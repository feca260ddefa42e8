import { type PageParts, readDone, sendPage } from './page.js'
import { ClientList } from './views/client-list.js'
import { isFollowedHere, sessionOf, visitOf } from './visit.js'

/** GET /account/clients: what the user has let act for them. */
export function showClients({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/clients',
    onRequest: visits.requireSession('clients'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const clients = await app.core.authorizations.list(sessionOf(request).userId)
      const { authorizedClientId: approvedHereId } = cookies.enteredCode.read(request) ?? {}
      // No link from elsewhere can claim that something was done.
      const done = isFollowedHere(request) ? readDone(request, visit.texts.clients.done) : undefined
      return sendPage(reply, ClientList, { visit, clients, approvedHereId, done })
    }
  })
}
