import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accountOf } from './account.js'

/** DELETE /v1/tenants/{tenantId}: with its providers and policies. */
export function deleteTenant(app: App): void {
  app.route({
    ...tokensOperations.deleteTenant,
    handler: async (request, reply) => {
      if (!(await app.core.tenants.delete(accountOf(request), request.params.tenantId))) throw fault('not_found')
      return reply.code(204).send(null)
    }
  })
}
