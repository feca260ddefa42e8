import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { App } from '../app.js'

/** GET /oauthAccounts: the caller's connections, the latest first. */
export function listOauthAccounts(app: App): void {
  app.route({
    ...dashboardOperations.listOauthAccounts,
    onRequest: app.authenticate('user'),
    handler: async (request) => {
      const connections = await app.core.connections.list(request.authenticatedCaller().userId)
      const time = (ms: number) => new Date(ms).toISOString()
      return {
        data: connections.map((connection) => ({
          id: connection.id,
          provider: connection.upstreamId,
          accountUsername: connection.username,
          scopes: [...connection.scopes],
          connected_at: time(connection.connectedAtMs),
          expires_at: connection.expiresAtMs === undefined ? null : time(connection.expiresAtMs),
          status: connection.status
        }))
      }
    }
  })
}
