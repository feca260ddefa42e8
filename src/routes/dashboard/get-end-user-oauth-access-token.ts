/** The access token of a connection by a path that names the environment, which has to be the one of this service. */
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accessTokenVending } from './vend-access-token.js'

/** GET /sdk/{environmentId}/oauthAccounts/{oauthAccountId}/accessToken: a user's own. */
export function getEndUserOauthAccessToken(app: App): void {
  const vend = accessTokenVending(app)

  app.route({
    ...dashboardOperations.getEndUserOauthAccessToken,
    config: { waitsForOthers: true },
    onRequest: app.authenticate('user'),
    handler: async (request, reply) => {
      const { environmentId, oauthAccountId } = request.params
      if (environmentId !== app.config.environmentId) throw fault('not_found', { detail: 'another environment' })
      const { userId } = request.authenticatedCaller()
      return vend(request, reply, oauthAccountId, { kind: 'user', userId })
    }
  })
}

/** OPTIONS /sdk/{environmentId}/oauthAccounts/{oauthAccountId}/accessToken: says which methods there are. */
export function getEndUserOauthAccessTokenOptions(app: App): void {
  app.route({
    ...dashboardOperations.getEndUserOauthAccessTokenOptions,
    handler: async (request, reply) => {
      if (request.params.environmentId !== app.config.environmentId) throw fault('not_found')
      return reply.code(204).header('allow', 'GET, HEAD, OPTIONS').send(null)
    }
  })
}
