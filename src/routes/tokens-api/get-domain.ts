import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderDomain } from './render.js'

/** GET /v1/providers/{providerId}/domains/{domainId}. */
export function getDomain(app: App): void {
  app.route({
    ...tokensOperations.getDomain,
    handler: async (request) => {
      const { id } = await providerOf(app, request)
      const domain = await app.core.domains.find(id, request.params.domainId)
      if (!domain) throw fault('not_found')
      return renderDomain(domain)
    }
  })
}
