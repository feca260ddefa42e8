import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'
import { renderPolicy } from './render.js'

/** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}. */
export function getTenantProviderPolicy(app: App): void {
  app.route({
    ...tokensOperations.getTenantProviderPolicy,
    handler: async (request) => {
      const { tenantId, policyId } = request.params
      const { id } = await tenantProviderOf(app, request)
      const policy = await app.core.tenants.findPolicy(tenantId, policyId, id)
      if (!policy) throw fault('not_found')
      return renderPolicy(policy)
    }
  })
}
