import { tokensOperations } from '../../../schemas/generated/tokens.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderClient } from './render.js'

/** GET /v1/providers/{providerId}/clients/{clientId}. */
export function getClient(app: App): void {
  app.route({
    ...tokensOperations.getClient,
    handler: async (request) => {
      const { id } = await providerOf(app, request)
      const client = await app.core.issuers.findWorkload(id, request.params.clientId)
      if (!client) throw fault('not_found')
      return renderClient(client)
    }
  })
}
