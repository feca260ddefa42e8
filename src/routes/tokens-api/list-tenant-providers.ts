import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantOf } from './account.js'
import { renderTenantProvider } from './render.js'

/** GET /v1/tenants/{tenantId}/providers: the foreign issuers it trusts. */
export function listTenantProviders(app: App): void {
  app.route({
    ...tokensOperations.listTenantProviders,
    handler: async (request) => {
      const { id } = await tenantOf(app, request)
      return (await app.core.tenants.listIssuers(id)).map(renderTenantProvider)
    }
  })
}
