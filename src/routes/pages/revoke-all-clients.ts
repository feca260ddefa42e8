import { type PageParts, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

/** POST /account/clients/revoke-all: ends all that are active. */
export function revokeAllClients({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/revoke-all',
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const count = await app.core.authorizations.revokeAll(sessionOf(request).userId)
      for (let i = 0; i < count; i++) app.metrics.countRevocation('owner')
      return seeOther(reply, visitOf(request), '/account/clients?done=revoked-all')
    }
  })
}
