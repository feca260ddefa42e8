import { type PageParts, readDone, sendPage } from './page.js'
import { ClientList } from './views/client-list.js'
import { sessionOf, visitOf } from './visit.js'

/** GET /account/clients: what the user has let act for them. */
export function showClients({ app, cookies, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/clients',
    onRequest: visits.requireSession('clients'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const clients = await app.authorizedClients.list(sessionOf(request).userId)
      const approvedHereId = cookies.enteredCode.read(request)?.authorizedClientId
      const done = readDone(request.query, visit.texts.clients.done)
      return sendPage(reply, ClientList, { visit, clients, approvedHereId, done })
    }
  })
}
