import { issuersOperations } from '../../../schemas/generated/issuers.js'
import type { App } from '../app.js'
import { sendDocument } from './send-document.js'

/** GET /{providerId}/.well-known/openid-configuration (OpenID Connect Discovery 1.0 §4). */
export function getProviderOpenidConfiguration(app: App): void {
  app.route({ ...issuersOperations.getProviderOpenidConfiguration, handler: sendDocument(app, 'metadata') })
}
