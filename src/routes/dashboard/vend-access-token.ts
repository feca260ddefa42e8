/** The access token of a connection, as both operations that hand it out do it. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { UserOauthAccessTokenResponse } from '../../../schemas/generated/dashboard.js'
import type { ConnectionReader } from '../../core/callers/callers.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

export function accessTokenVending(app: App) {
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
      case 'needs_reconnect':
        throw fault('needs_reconnect')
      case 'unknown':
        throw fault('not_found')
    }
  }
}
