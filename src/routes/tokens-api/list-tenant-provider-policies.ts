import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'
import { renderPolicy } from './render.js'

/** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies. */
export function listTenantProviderPolicies(app: App): void {
  app.route({
    ...tokensOperations.listTenantProviderPolicies,
    handler: async (request) => {
      const { id } = await tenantProviderOf(app, request)
      return (await app.core.tenants.listPolicies(request.params.tenantId, id)).map(renderPolicy)
    }
  })
}
