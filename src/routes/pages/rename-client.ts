import { Type } from '@sinclair/typebox'
import { fault } from '../../core/fault.js'
import { formOf, type PageParts, PathId, seeOther } from './page.js'
import { sessionOf, visitOf } from './visit.js'

const Rename = formOf({ label: Type.String({ maxLength: 255 }) })

/** POST /account/clients/{id}/rename: another label, or with an empty one none. */
export function renameClient({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/account/clients/:id/rename',
    schema: { params: PathId, body: Rename },
    onRequest: visits.requireSession('clients'),
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const label = request.body.label.trim() || undefined
      const client = await app.core.authorizations.rename(sessionOf(request).userId, request.params.id, label)
      if (!client) throw fault('not_found')
      return seeOther(reply, visitOf(request), '/account/clients?done=renamed')
    }
  })
}
