import type { FastifyRequest } from 'fastify'
import { bearerTokenOf, callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { looksLikeApiKey } from '../../core/api-keys/api-key.js'
import type { TokenReader } from '../../core/connections/connections.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { vendAccessToken } from './vend-access-token.js'

/** GET /oauthAccounts/{oauthAccountId}/accessToken: to a back end with an API key any, to a user their own. */
export function getUserOauthAccessToken(app: App): void {
  const limit = app.limits.perCaller('access-token')
  const authenticateUser = app.authenticate('user')

  app.route({
    ...dashboardOperations.getUserOauthAccessToken,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const { reader, name } = await identify(request)
      await limit(request, name)
      return vendAccessToken(app, reply, request.params.oauthAccountId, reader)
    }
  })

  /** Who asks, and by what name that is counted. */
  async function identify(request: FastifyRequest): Promise<{ reader: TokenReader; name: string }> {
    const bearer = bearerTokenOf(request)
    if (bearer !== undefined && looksLikeApiKey(bearer)) {
      const key = await app.core.apiKeys.use(bearer)
      if (!key) throw fault('invalid_token', { detail: 'no API key' })
      return { reader: { kind: 'api_key' }, name: `key ${key.id}` }
    }
    await authenticateUser(request)
    const { userId } = callerOf(request)
    return { reader: { kind: 'user', userId }, name: `user ${userId}` }
  }
}
