/** The connected accounts of the caller: listed, and ended. Their access tokens are access-token.ts. */
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { isoTime, isoTimeOrNull } from '../../core/clock.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/** GET /oauthAccounts: the caller's connections, the latest first. */
export function listOauthAccounts(app: App): void {
  app.route({
    ...dashboardOperations.listOauthAccounts,
    onRequest: app.limits.userGuards('account', 'user'),
    handler: async (request) => {
      const connections = await app.core.connections.list(request.authenticatedCaller().userId)
      return {
        data: connections.map((connection) => ({
          id: connection.id,
          provider: connection.upstreamId,
          accountUsername: connection.username,
          scopes: [...connection.scopes],
          connected_at: isoTime(connection.connectedAtMs),
          expires_at: isoTimeOrNull(connection.expiresAtMs),
          status: connection.status
        }))
      }
    }
  })
}

/** DELETE /oauthAccounts/{oauthAccountId}: ends a connection of the caller's. */
export function unlinkOauthAccount(app: App): void {
  app.route({
    ...dashboardOperations.unlinkOauthAccount,
    config: { waitsForOthers: true },
    onRequest: app.limits.userGuards('account', 'user'),
    handler: async (request) => {
      const { oauthAccountId } = request.params
      const { userId } = request.authenticatedCaller()
      const by = app.whereabouts.origin(request, `user:${userId}`)
      const disconnected = await app.core.connections.disconnect(userId, oauthAccountId, by)
      if (!disconnected) throw fault('not_found')
      return { id: oauthAccountId, revoked_at_provider: disconnected.revokedAtUpstream }
    }
  })
}
