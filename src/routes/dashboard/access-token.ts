/**
 * The access token of a connection, by two paths: one for back ends and users, and one for users that names the environment, which
 * has to be the one of this service.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { dashboardOperations, type UserOauthAccessTokenResponse } from '../../../schemas/generated/dashboard.js'
import type { ConnectionReader } from '../../core/callers/callers.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What @fastify/cors does otherwise at a route. */
    cors?: { preflightContinue: boolean }
  }
}

/** How the contract writes an id: in lower case. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

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

/**
 * OPTIONS /sdk/{environmentId}/oauthAccounts/{oauthAccountId}/accessToken: says which methods there are, to everybody and of every
 * id that is one, whether there is such a connection or not.
 */
export function getEndUserOauthAccessTokenOptions(app: App): void {
  app.route({
    ...dashboardOperations.getEndUserOauthAccessTokenOptions,
    // A preflight would be answered before anybody looks at what the path names.
    config: { cors: { preflightContinue: true } },
    handler: async (request, reply) => {
      const { environmentId, oauthAccountId } = request.params
      if (environmentId !== app.config.environmentId || !UUID.test(oauthAccountId)) throw fault('not_found')
      return reply.code(204).header('allow', 'GET, HEAD, OPTIONS').send(null)
    }
  })
}

function accessTokenVending(app: App) {
  const limit = app.limits.perCaller('access-token')

  return async (
    request: FastifyRequest,
    reply: FastifyReply,
    connectionId: string,
    reader: ConnectionReader,
    isRefused = false
  ): Promise<UserOauthAccessTokenResponse> => {
    await limit(request, reader.kind === 'api_key' ? `key ${reader.keyId}` : `user ${reader.userId}`)
    const outcome = await app.core.connections.vend(connectionId, reader, { isRefused })
    switch (outcome.kind) {
      case 'token':
        reply.header('cache-control', 'no-store')
        return { accessToken: outcome.accessToken, scopes: [...outcome.scopes] }
      case 'not_yours':
        throw fault('forbidden', { detail: "another user's account" })
      case 'blocked':
        throw fault('user_blocked')
      case 'needs_reconnect':
        throw fault('needs_reconnect')
      case 'unknown':
        throw fault('not_found')
    }
  }
}
