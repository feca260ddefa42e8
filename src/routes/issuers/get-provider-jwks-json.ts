import { issuersOperations } from '../../../schemas/generated/issuers.js'
import type { App } from '../app.js'
import { sendDocument } from './send-document.js'

/** GET /{providerId}/.well-known/jwks.json (RFC 7517 §5). */
export function getProviderJwksJson(app: App): void {
  app.route({
    ...issuersOperations.getProviderJwksJson,
    config: { waitsForOthers: true },
    handler: sendDocument(app, 'jwks')
  })
}
