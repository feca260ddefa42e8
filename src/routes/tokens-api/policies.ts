/** The policies of trusted issuers, and the validation of tokens by them. */
import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { ListOptions } from '../../core/records/batches.js'
import type { App } from '../app.js'
import type { AnswerList } from '../paging.js'
import { found, ownerOf } from './owner.js'
import { renderPolicy } from './render.js'

/** The longest token that is validated, 16 KiB, and the JSON around it. */
const VALIDATION_BODY_LIMIT = 17 * 1024

export function policies(app: App, answerList: AnswerList): void {
  const { policies, validator } = app.core

  /** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies. */
  app.route({
    ...tokensOperations.listTenantProviderPolicies,
    // Each piece of a list has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const [owner, { tenantId, tenantProviderId: id }] = [ownerOf(request), request.params]
      const read = async (options: ListOptions) => found(await policies.list(owner, tenantId, id, options))
      return answerList(request, reply, { name: ['policies', owner, tenantId, id], read, render: renderPolicy })
    }
  })

  /** POST /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies. */
  app.route({
    ...tokensOperations.createTenantProviderPolicy,
    handler: async (request, reply) => {
      const { tenantId, tenantProviderId } = request.params
      const policy = found(await policies.create(ownerOf(request), tenantId, tenantProviderId, request.body))
      return reply.code(201).send(renderPolicy(policy))
    }
  })

  /** GET /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}. */
  app.route({
    ...tokensOperations.getTenantProviderPolicy,
    handler: async (request) => {
      const { tenantId, tenantProviderId, policyId } = request.params
      return renderPolicy(found(await policies.find(ownerOf(request), tenantId, tenantProviderId, policyId)))
    }
  })

  /** DELETE /v1/tenants/{tenantId}/providers/{tenantProviderId}/policies/{policyId}. */
  app.route({
    ...tokensOperations.deleteTenantProviderPolicy,
    handler: async (request, reply) => {
      const { tenantId, tenantProviderId, policyId } = request.params
      found(await policies.delete(ownerOf(request), tenantId, tenantProviderId, policyId))
      return reply.code(204).send(null)
    }
  })

  /** POST /v1/tenants/{tenantId}/validate: whether a token of a trusted issuer is valid by a policy. */
  app.route({
    ...tokensOperations.validateToken,
    bodyLimit: VALIDATION_BODY_LIMIT,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { tenantProviderPolicyId, token } = request.body
      const { tenantId } = request.params
      const outcome = found(await validator.validate(ownerOf(request), tenantId, tenantProviderPolicyId, token))
      if (outcome.kind === 'invalid') throw fault('token_not_valid', { hint: outcome.reason })
      return { isValid: true, exp: outcome.expSeconds }
    }
  })
}
