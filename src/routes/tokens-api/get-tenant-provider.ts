import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantProviderOf } from './account.js'
import { renderTenantProvider } from './render.js'

/** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}. */
export function getTenantProvider(app: App): void {
  app.route({
    ...tokensOperations.getTenantProvider,
    handler: async (request) => {
      return renderTenantProvider(await tenantProviderOf(app, request))
    }
  })
}
