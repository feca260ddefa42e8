import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import { readIssuerUrl } from '../../core/trust/issuer-url.js'
import type { App } from '../app.js'
import { tenantOf } from './account.js'
import { renderTenantProvider } from './render.js'

/** POST /v1/tenants/{tenantId}/providers: trusts a foreign issuer. */
export function createTenantProvider(app: App): void {
  app.route({
    ...tokensOperations.createTenantProvider,
    handler: async (request, reply) => {
      const { id } = await tenantOf(app, request)
      const url = readIssuerUrl(request.body.url)
      if (url === undefined)
        throw fault('invalid_request', { hint: 'url must be an absolute https URL without a query' })
      const known = await app.core.tenants.listIssuers(id)
      if (known.some((provider) => provider.url === url && provider.audience === request.body.audience)) {
        throw fault('conflict', { hint: 'The issuer is trusted for this audience already' })
      }
      const provider = await app.core.tenants.createIssuer(id, { ...request.body, url })
      return reply.code(201).send(renderTenantProvider(provider))
    }
  })
}
