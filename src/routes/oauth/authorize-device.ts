import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT } from '../../core/clients/client.js'
import { isWithin, readScope } from '../../core/clients/scope.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { verificationUris } from '../verification-uri.js'

/** POST /oauth/device_authorization (RFC 8628 §3.1): starts a grant for a client that is known. */
export function authorizeDevice(app: App): void {
  app.route({
    ...oauthOperations.authorizeDevice,
    onRequest: app.limits.perAddress('start'),
    handler: async (request) => {
      const client = app.authenticateClient(request)
      if (!client.grantTypes.includes(DEVICE_CODE_GRANT)) throw fault('unauthorized_client')
      const scopes = readScope(request.body.scope)
      if (!scopes || !isWithin(scopes, client.scopes)) throw fault('invalid_scope')
      const location = app.whereabouts.location(request)
      const grant = await app.core.grants.start({
        clientId: client.id,
        clientType: client.type,
        scopes,
        metadata: {},
        ip: app.whereabouts.ip(request),
        ...(location && { location })
      })
      return {
        device_code: grant.grantCode,
        user_code: grant.userCode,
        ...verificationUris(app.config.verificationUri, grant.userCode),
        expires_in: grant.expiresInSeconds,
        interval: grant.intervalSeconds
      }
    }
  })
}
