import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'
import { metadataUrls, sendMetadata } from './issuer-metadata.js'

/** GET /.well-known/oauth-authorization-server (RFC 8414 §3): where everything is, and what it can do. */
export function getAuthorizationServerMetadata(app: App): void {
  const operation = oauthOperations.getAuthorizationServerMetadata
  for (const url of metadataUrls(app, operation.url)) app.route({ ...operation, url, handler: sendMetadata(app) })
}
