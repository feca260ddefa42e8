/** The foreign issuers that a tenant trusts, which the wire calls its providers. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderTrustedIssuer } from './render.js'

export function trustedIssuers(app: App, answerList: AnswerList): void {
  const { trustedIssuers } = app.core

  /** GET /v1/tenants/{tenantId}/providers. */
  app.route({
    ...tokensOperations.listTenantProviders,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const [owner, { tenantId }] = [ownerOf(request), request.params]
      const read = async (options: ListOptions) => found(await trustedIssuers.list(owner, tenantId, options))
      return answerList(request, reply, {
        name: ['tenant providers', owner, tenantId],
        read,
        render: renderTrustedIssuer
      })
    }
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
    // So does each step of a deletion, of which there are as many as it holds things.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const { tenantId, tenantProviderId } = request.params
      found(await trustedIssuers.delete(ownerOf(request), tenantId, tenantProviderId))
      return reply.code(204).send(null)
    }
  })
}
