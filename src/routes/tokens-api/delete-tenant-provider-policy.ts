import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'

/** DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}. */
export function deleteTenantProviderPolicy(app: App): void {
  app.route({
    ...tokensOperations.deleteTenantProviderPolicy,
    handler: async (request, reply) => {
      const { tenantId, policyId } = request.params
      const { id } = await tenantProviderOf(app, request)
      if (!(await app.core.tenants.findPolicy(tenantId, policyId, id))) throw fault('not_found')
      await app.core.tenants.deletePolicy(tenantId, policyId)
      return reply.code(204).send(null)
    }
  })
}
