import { fault } from '../../core/fault.js'
import { type PageParts, PathId, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

/** POST /account/connections/{id}/disconnect: gives the tokens up, here and if possible at the provider. */
export function disconnectAccount({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/connections/:id/disconnect',
    schema: { params: PathId },
    config: { waitsForOthers: true },
    onRequest: visits.requireSession('connections'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const disconnected = await app.core.connections.disconnect(sessionOf(request).userId, request.params.id)
      if (!disconnected) throw fault('not_found')
      const done = disconnected.revokedAtProvider ? 'disconnected' : 'disconnected-here'
      return seeOther(reply, visitOf(request), `/account/connections?done=${done}`)
    }
  })
}
