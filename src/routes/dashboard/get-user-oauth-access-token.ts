import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { accessTokenVending } from './vend-access-token.js'

/** GET /oauthAccounts/{oauthAccountId}/accessToken: any of them for a back end with an API key, a user's own for a user. */
export function getUserOauthAccessToken(app: App): void {
  const vend = accessTokenVending(app)

  app.route({
    ...dashboardOperations.getUserOauthAccessToken,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const token = request.bearerToken()
      if (token === undefined) throw fault('unauthenticated')
      const reader = await app.core.callers.identifyConnectionReader(token)
      return vend(request, reply, request.params.oauthAccountId, reader, request.query.refused === 'true')
    }
  })
}
