import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderClient } from './render.js'

/** GET /v1/providers/{providerId}/clients. */
export function listClients(app: App): void {
  app.route({
    ...tokensOperations.listClients,
    handler: async (request) => {
      const { id } = await providerOf(app, request)
      return (await app.core.issuers.listWorkloads(id)).map(renderClient)
    }
  })
}
