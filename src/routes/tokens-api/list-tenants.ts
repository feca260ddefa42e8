import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { accountOf } from './account.js'
import { renderTenant } from './render.js'

/** GET /v1/tenants: those of the account. */
export function listTenants(app: App): void {
  app.route({
    ...tokensOperations.listTenants,
    handler: async (request) => {
      return (await app.core.tenants.list(accountOf(request))).map(renderTenant)
    }
  })
}
