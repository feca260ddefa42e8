import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'
import { renderPolicy } from './render.js'

/** POST /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies. */
export function createTenantProviderPolicy(app: App): void {
  app.route({
    ...tokensOperations.createTenantProviderPolicy,
    handler: async (request, reply) => {
      const { id: tenantProviderId } = await tenantProviderOf(app, request)
      const policy = await app.core.tenants.createPolicy(request.params.tenantId, {
        ...request.body,
        tenantProviderId
      })
      return reply.code(201).send(renderPolicy(policy))
    }
  })
}
