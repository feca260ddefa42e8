/** The access token of a connected account, as both operations that hand it out do it. */
import type { FastifyReply } from 'fastify'
import type { UserOauthAccessTokenResponse } from '../../../schemas/generated/dashboard.js'
import type { TokenReader } from '../../core/connections/connections.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

export async function vendAccessToken(
  app: App,
  reply: FastifyReply,
  accountId: string,
  reader: TokenReader
): Promise<UserOauthAccessTokenResponse> {
  const outcome = await app.core.connections.vend(accountId, reader)
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
