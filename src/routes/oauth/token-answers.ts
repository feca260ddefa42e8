/** What the token endpoint answers: tokens (RFC 6749 §5.1), or why a poll brings none (RFC 8628 §3.5). */
import type { FastifyReply } from 'fastify'
import type { TokenError, TokenResponse } from '../../../schemas/generated/oauth.js'
import { writeScope } from '../../core/clients/scope.js'
import type { PollOutcome } from '../../core/grants/grant.js'
import type { IssuedTokens } from '../../core/tokens/issued-tokens.js'

export function renderTokens(tokens: IssuedTokens, nowMs: number, reply: FastifyReply): TokenResponse {
  const { accessToken, accessTokenExpiresAtMs, scopes, isNarrowed, refreshToken, idToken } = tokens
  // RFC 6749 §5.1 asks for it, for caches of HTTP/1.0.
  reply.header('pragma', 'no-cache')
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: Math.max(0, Math.floor((accessTokenExpiresAtMs - nowMs) / 1000)),
    // Without `scope` a client takes it that it has got all it asked for (RFC 6749 §5.1).
    ...((scopes.length > 0 || isNarrowed) && { scope: writeScope(scopes) }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken })
  }
}

export function renderPoll(
  outcome: Exclude<PollOutcome, { kind: 'approved' | 'pending' | 'invalid_target' }>
): TokenError {
  switch (outcome.kind) {
    case 'slow_down':
      return { error: 'slow_down', interval: outcome.intervalSeconds }
    case 'denied':
      return { error: 'access_denied' }
    case 'expired':
      return { error: 'expired_token' }
    case 'spent':
    case 'unknown':
      return { error: 'invalid_grant' }
  }
}
