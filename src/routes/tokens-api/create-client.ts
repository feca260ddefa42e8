import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderClient } from './render.js'

/** POST /v1/providers/{providerId}/clients: a workload with one audience. */
export function createClient(app: App): void {
  app.route({
    ...tokensOperations.createClient,
    handler: async (request, reply) => {
      const { id } = await providerOf(app, request)
      const client = await app.core.issuers.createWorkload(id, request.body)
      return reply.code(201).send(renderClient(client))
    }
  })
}
