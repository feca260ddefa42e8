import { fault } from '../../core/fault.js'
import { type PageParts, PathId, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

/** POST /account/clients/{id}/revoke: ends it, from its next request on. */
export function revokeClient({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/revoke',
    schema: { params: PathId },
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const client = await app.core.authorizations.revoke(sessionOf(request).userId, request.params.id)
      if (!client) throw fault('not_found')
      app.metrics.countRevocation('owner')
      return seeOther(reply, visitOf(request), '/account/clients?done=revoked')
    }
  })
}
