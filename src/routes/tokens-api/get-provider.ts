import { tokensOperations } from '../../../schemas/generated/tokens.js'
import type { App } from '../app.js'
import { providerOf } from './account.js'
import { renderProvider } from './render.js'

/** GET /v1/providers/{providerId}. */
export function getProvider(app: App): void {
  app.route({
    ...tokensOperations.getProvider,
    handler: async (request) => {
      return renderProvider(await providerOf(app, request))
    }
  })
}
