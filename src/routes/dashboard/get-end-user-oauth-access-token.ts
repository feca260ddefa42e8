import { callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { vendAccessToken } from './vend-access-token.js'

/** GET /sdk/{environmentId}/oauthAccounts/{oauthAccountId}/accessToken: to a user their own. */
export function getEndUserOauthAccessToken(app: App): void {
  const limit = app.limits.perCaller('access-token')

  app.route({
    ...dashboardOperations.getEndUserOauthAccessToken,
    config: { waitsForOthers: true },
    onRequest: app.authenticate('user'),
    handler: async (request, reply) => {
      const { environmentId, oauthAccountId } = request.params
      if (environmentId !== app.config.environmentId) throw fault('not_found', { detail: 'another environment' })
      const { userId } = callerOf(request)
      await limit(request, `user ${userId}`)
      return vendAccessToken(app, reply, oauthAccountId, { kind: 'user', userId })
    }
  })
}
