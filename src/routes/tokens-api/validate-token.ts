import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { tenantOf } from './account.js'

/** POST /v1/tenants/{tenantId}/validate: whether a token of a foreign issuer is valid by a policy. */
export function validateToken(app: App): void {
  app.route({
    ...tokensOperations.validateToken,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { id } = await tenantOf(app, request)
      const { tenantProviderPolicyId, token } = request.body
      const { tenants, validator } = app.core
      const policy = await tenants.findPolicy(id, tenantProviderPolicyId)
      const provider = policy && (await tenants.findIssuer(id, policy.tenantProviderId))
      if (!policy || !provider) throw fault('not_found')
      const outcome = await validator.validate(token, provider, policy)
      if (outcome.kind === 'invalid') throw fault('token_not_valid', { hint: outcome.reason })
      return { isValid: true, exp: outcome.expSeconds }
    }
  })
}
