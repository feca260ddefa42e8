/** Tenants: each trusts foreign issuers by policies of its own. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { found, ownerOf } from './owner.js'
import { renderTenant } from './render.js'

export function tenants(app: App): void {
  const { tenants } = app.core

  /** GET /v1/tenants: those of the owner. */
  app.route({
    ...tokensOperations.listTenants,
    handler: async (request) => (await tenants.list(ownerOf(request))).map(renderTenant)
  })

  /** POST /v1/tenants. */
  app.route({
    ...tokensOperations.createTenant,
    handler: async (request, reply) => {
      const tenant = await tenants.create(ownerOf(request), request.body)
      return reply.code(201).send(renderTenant(tenant))
    }
  })

  /** GET /v1/tenants/{tenantId}. */
  app.route({
    ...tokensOperations.getTenant,
    handler: async (request) => renderTenant(found(await tenants.find(ownerOf(request), request.params.tenantId)))
  })

  /** DELETE /v1/tenants/{tenantId}: with its trusted issuers and policies. */
  app.route({
    ...tokensOperations.deleteTenant,
    handler: async (request, reply) => {
      found(await tenants.delete(ownerOf(request), request.params.tenantId))
      return reply.code(204).send(null)
    }
  })
}
