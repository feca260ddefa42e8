/** Tenants: each trusts foreign issuers by policies of its own. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderTenant } from './render.js'

export function tenants(app: App, answerList: AnswerList): void {
  const { tenants } = app.core

  /** GET /v1/tenants: those of the owner. */
  app.route({
    ...tokensOperations.listTenants,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const owner = ownerOf(request)
      const read = (options: ListOptions) => tenants.list(owner, options)
      return answerList(request, reply, { name: ['tenants', owner], read, render: renderTenant })
    }
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
    // So does each step of a deletion, of which there are as many as it holds things.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      found(await tenants.delete(ownerOf(request), request.params.tenantId))
      return reply.code(204).send(null)
    }
  })
}
