import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/** DELETE /oauthAccounts/{oauthAccountId}: ends a connection of the caller's. */
export function unlinkOauthAccount(app: App): void {
  app.route({
    ...dashboardOperations.unlinkOauthAccount,
    config: { waitsForOthers: true },
    onRequest: app.authenticate('user'),
    handler: async (request) => {
      const { oauthAccountId } = request.params
      const { userId } = request.authenticatedCaller()
      const disconnected = await app.core.connections.disconnect(userId, oauthAccountId)
      if (!disconnected) throw fault('not_found')
      return { id: oauthAccountId, revoked_at_provider: disconnected.revokedAtProvider }
    }
  })
}
