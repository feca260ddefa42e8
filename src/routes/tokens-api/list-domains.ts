import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderDomain } from './render.js'

/** GET /v1/providers/{providerId}/domains. */
export function listDomains(app: App): void {
  app.route({
    ...tokensOperations.listDomains,
    handler: async (request) => {
      const { id } = await providerOf(app, request)
      return (await app.core.domains.list(id)).map(renderDomain)
    }
  })
}
