import { issuersOperations } from '../../../schemas/generated/issuers.js'
import type { App } from '../app.js'
import { sendDocument } from './send-document.js'

/** GET /{providerId}/.well-known/jwks (RFC 7517 §5). */
export function getProviderJwks(app: App): void {
  app.route({
    ...issuersOperations.getProviderJwks,
    config: { waitsForOthers: true },
    handler: sendDocument(app, 'jwks')
  })
}
