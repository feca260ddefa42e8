import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { ClientMetadata } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { verificationUris } from '../verification-uri.js'

/** POST /auth/grant/code: starts a grant for whoever asks. */
export function startGrant(app: App): void {
  app.route({
    ...dashboardOperations.startGrant,
    onRequest: app.limits.perAddress('start'),
    handler: async (request) => {
      const { client_type: clientType, client_metadata = {} } = request.body
      const location = app.whereabouts.location(request)
      const grant = await app.core.grants.start({
        clientId: clientType,
        clientType,
        scopes: [],
        metadata: pickMetadata(client_metadata),
        ip: app.whereabouts.ip(request),
        ...(location && { location })
      })
      return {
        grant_code: grant.grantCode,
        user_code: grant.userCode,
        ...verificationUris(app.config.verificationUri, grant.userCode),
        expires_in: grant.expiresInSeconds,
        interval: grant.intervalSeconds
      }
    }
  })
}

/** Other keys are accepted and dropped. */
function pickMetadata({ name, version, hostname, os }: ClientMetadata): ClientMetadata {
  return {
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(hostname !== undefined && { hostname }),
    ...(os !== undefined && { os })
  }
}
