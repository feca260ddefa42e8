import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'

/** DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}: with its policies. */
export function deleteTenantProvider(app: App): void {
  app.route({
    ...tokensOperations.deleteTenantProvider,
    handler: async (request, reply) => {
      const { id } = await tenantProviderOf(app, request)
      await app.core.tenants.deleteIssuer(request.params.tenantId, id)
      return reply.code(204).send(null)
    }
  })
}
