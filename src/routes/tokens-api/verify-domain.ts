import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accountOf, providerOf } from './account.js'
import { renderDomain } from './render.js'

/** POST /v1/providers/{providerId}/domains/{domainId}/verify: looks for the challenge. */
export function verifyDomain(app: App): void {
  app.route({
    ...tokensOperations.verifyDomain,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { id } = await providerOf(app, request)
      const result = await app.core.domains.verify(accountOf(request), id, request.params.domainId)
      if (!result) throw fault('not_found')
      app.core.issuerDocuments.forget(id, [result.domain.domain])
      return { domain: renderDomain(result.domain), verified: result.verified, message: result.message }
    }
  })
}
