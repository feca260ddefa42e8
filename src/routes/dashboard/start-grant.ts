import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { ClientMetadata } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { beginGrant } from '../start.js'

/** POST /auth/grant/code: starts a grant for whoever asks, as the built-in client of the type that was named. */
export function startGrant(app: App): void {
  app.route({
    ...dashboardOperations.startGrant,
    onRequest: app.limits.perAddress('start'),
    handler: async (request) => {
      const { client_type: clientType, client_metadata = {} } = request.body
      const metadata = pickMetadata(client_metadata)
      const { grantCode, answer } = await beginGrant(app, request, {
        clientId: clientType,
        clientType,
        scopes: [],
        metadata
      })
      return { grant_code: grantCode, ...answer }
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
