import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { tenantOf } from './account.js'
import { renderTenant } from './render.js'

/** GET /v1/tenants/{tenantId}. */
export function getTenant(app: App): void {
  app.route({
    ...tokensOperations.getTenant,
    handler: async (request) => {
      return renderTenant(await tenantOf(app, request))
    }
  })
}
