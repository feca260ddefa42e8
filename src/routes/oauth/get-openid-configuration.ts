import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'
import { metadataUrls, sendMetadata } from './issuer-metadata.js'

/** GET /.well-known/openid-configuration (OpenID Connect Discovery 1.0 §4): where everything is, and what it can do. */
export function getOpenidConfiguration(app: App): void {
  const operation = oauthOperations.getOpenidConfiguration
  for (const url of metadataUrls(app, operation.url)) app.route({ ...operation, url, handler: sendMetadata(app) })
}
