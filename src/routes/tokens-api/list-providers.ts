import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { accountOf } from './account.js'
import { renderProvider } from './render.js'

/** GET /v1/providers: those of the account. */
export function listProviders(app: App): void {
  app.route({
    ...tokensOperations.listProviders,
    handler: async (request) => {
      return (await app.core.issuers.list(accountOf(request))).map(renderProvider)
    }
  })
}
