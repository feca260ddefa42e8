/** The foreign issuers that a tenant trusts, which the wire calls its providers. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { found, ownerOf } from './owner.js'
import { renderTrustedIssuer } from './render.js'

export function trustedIssuers(app: App): void {
  const { trustedIssuers } = app.core

  /** GET /v1/tenants/{tenantId}/providers. */
  app.route({
    ...tokensOperations.listTenantProviders,
    handler: async (request) =>
      found(await trustedIssuers.list(ownerOf(request), request.params.tenantId)).map(renderTrustedIssuer)
  })

  /** POST /v1/tenants/{tenantId}/providers: trusts a foreign issuer. */
  app.route({
    ...tokensOperations.createTenantProvider,
    handler: async (request, reply) => {
      const issuer = found(await trustedIssuers.create(ownerOf(request), request.params.tenantId, request.body))
      if (issuer === 'no_issuer_url')
        throw fault('invalid_request', { hint: 'url must be an absolute https URL without a query' })
      if (issuer === 'taken') throw fault('conflict', { hint: 'The issuer is trusted for this audience already' })
      return reply.code(201).send(renderTrustedIssuer(issuer))
    }
  })

  /** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}. */
  app.route({
    ...tokensOperations.getTenantProvider,
    handler: async (request) => {
      const { tenantId, tenantProviderId } = request.params
      return renderTrustedIssuer(found(await trustedIssuers.find(ownerOf(request), tenantId, tenantProviderId)))
    }
  })

  /** DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}: with its policies. */
  app.route({
    ...tokensOperations.deleteTenantProvider,
    handler: async (request, reply) => {
      const { tenantId, tenantProviderId } = request.params
      found(await trustedIssuers.delete(ownerOf(request), tenantId, tenantProviderId))
      return reply.code(204).send(null)
    }
  })
}
