import { type PageParts, readDone, sendPage } from './page.js'
import { ConnectionList } from './views/connection-list.js'
import { sessionOf, visitOf } from './visit.js'

/** GET /account/connections: the accounts at other services that the user has connected. */
export function showConnections({ app, visits }: PageParts): void {
  app.route({
    method: 'GET',
    url: '/account/connections',
    onRequest: visits.requireSession('connections'),
    handler: async (request, reply) => {
      const visit = visitOf(request)
      const accounts = await app.core.connections.list(sessionOf(request).userId)
      const done = readDone(request, visit.texts.connections.done)
      return sendPage(reply, ConnectionList, { visit, accounts, providers: app.core.signIn.upstreams, done })
    }
  })
}
