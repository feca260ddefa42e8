import { callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { App } from '../app.js'

/** GET /oauthAccounts: the caller's connected accounts, the latest first. */
export function listOauthAccounts(app: App): void {
  app.route({
    ...dashboardOperations.listOauthAccounts,
    onRequest: app.authenticate('user'),
    handler: async (request) => {
      const accounts = await app.core.connections.list(callerOf(request).userId)
      const time = (ms: number) => new Date(ms).toISOString()
      return {
        data: accounts.map((account) => ({
          id: account.id,
          provider: account.upstreamId,
          accountUsername: account.username,
          scopes: [...account.scopes],
          connected_at: time(account.connectedAtMs),
          expires_at: account.expiresAtMs === undefined ? null : time(account.expiresAtMs),
          status: account.status
        }))
      }
    }
  })
}
