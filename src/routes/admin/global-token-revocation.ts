import { adminOperations } from '../../../schemas/generated/admin.js'
import type { App } from '../app.js'
import { found, originOf } from './caller.js'

/** POST /admin/v0/global-token-revocation (draft-parecki-oauth-global-token-revocation): revokes everything of a subject. */
export function globalTokenRevocation(app: App): void {
  app.route({
    ...adminOperations.revokeGlobally,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      found(await app.core.measures.revokeAllOf(request.body.sub_id, originOf(app, request)))
      return reply.code(204).send(null)
    }
  })
}
