import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { accountOf } from './account.js'
import { renderProvider } from './render.js'

/** POST /v1/providers: an issuer with keys of its own. */
export function createProvider(app: App): void {
  app.route({
    ...tokensOperations.createProvider,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const provider = await app.core.issuers.create(accountOf(request), request.body)
      return reply.code(201).send(renderProvider(provider))
    }
  })
}
