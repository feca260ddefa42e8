/** The tokens that a client gets: for the grant it collects, and for a refresh token. */
import type { Authorization } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import type { Client } from '../clients/client.js'
import { isWithin } from '../clients/scope.js'
import type { Clock } from '../clock.js'
import type { AccessTokens } from './access-tokens.js'
import type { IdTokens } from './id-tokens.js'
import type { RefreshTokens } from './refresh-tokens.js'

/** The tokens a client gets for an approved grant or a refresh token (RFC 6749 §5.1). */
export interface IssuedTokens {
  accessToken: string
  accessTokenExpiresAtMs: number
  /** The scope of the access token. */
  scopes: readonly string[]
  /** Present with the scope `offline_access`. */
  refreshToken?: string
  /** Present with the scope `openid`. */
  idToken?: string
}

/** The outcome of a refresh. `replayed`: the token had been rotated before, so the authorization was revoked. */
export type RefreshOutcome =
  | { kind: 'refreshed'; tokens: IssuedTokens }
  | { kind: 'invalid' | 'replayed' | 'invalid_scope' }

export interface TokenIssue {
  /**
   * The tokens of an authorization for the client that collects it. For the same grant code they are the same again, except that
   * the access token has a `jti` of its own, and the refresh token is the family's current one. Rejects with `unavailable`.
   */
  issue(client: Client, authorization: Authorization, grantCode: string): Promise<IssuedTokens>
  /** Rotates a refresh token (RFC 6749 §6), optionally with fewer scopes for the new access token. */
  refresh(client: Client, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome>
}

/** Told of what happens, for the metrics. */
export interface TokenEvents {
  /** A refresh token was presented. */
  refreshed(outcome: RefreshOutcome['kind']): void
}

export interface TokenIssueParts {
  authorizations: Authorizations
  accessTokens: AccessTokens
  idTokens: IdTokens
  refreshTokens: RefreshTokens
  clock: Clock
  events: TokenEvents
}

/** The times of tokens are counted from the collection. */
export const startOf = ({ collectedAtMs, createdAtMs }: Authorization) => collectedAtMs ?? createdAtMs

export function createTokenIssue(parts: TokenIssueParts): TokenIssue {
  const { authorizations, accessTokens, idTokens, refreshTokens, clock, events } = parts

  function mint(
    { accessTokenTtlSeconds }: Client,
    authorization: Authorization,
    issuedAtMs: number,
    scopes: readonly string[]
  ): IssuedTokens {
    const wholeSecondMs = Math.floor(issuedAtMs / 1000) * 1000
    const expiresAtMs = Math.min(wholeSecondMs + accessTokenTtlSeconds * 1000, authorization.expiresAtMs)
    const accessToken = accessTokens.mint(authorization, { issuedAtMs, expiresAtMs, scopes })
    return {
      accessToken,
      accessTokenExpiresAtMs: expiresAtMs,
      scopes,
      ...(scopes.includes('openid') && { idToken: idTokens.mint(authorization, issuedAtMs) })
    }
  }

  async function rotate(client: Client, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome> {
    const opened = await refreshTokens.open(token, authorizations.findForUse)
    if (opened?.authorization.clientId !== client.id) return { kind: 'invalid' }
    const { authorization } = opened
    if (scopes && !isWithin(scopes, authorization.scopes)) return { kind: 'invalid_scope' }
    const tokens = mint(client, authorization, clock(), scopes ?? authorization.scopes)
    await authorizations.noteUse(authorization)

    const rotation = await refreshTokens.rotate(authorization, token)
    if (rotation.kind === 'replayed') await authorizations.revoke(authorization.userId, authorization.id, 'replay')
    if (rotation.kind !== 'rotated') return { kind: rotation.kind }
    return { kind: 'refreshed', tokens: { ...tokens, refreshToken: rotation.current } }
  }

  return {
    async issue(client, authorization, grantCode) {
      const tokens = mint(client, authorization, startOf(authorization), authorization.scopes)
      if (!authorization.scopes.includes('offline_access')) return tokens
      return { ...tokens, refreshToken: await refreshTokens.issue(authorization, grantCode) }
    },

    async refresh(client, token, scopes) {
      const outcome = await rotate(client, token, scopes)
      events.refreshed(outcome.kind)
      return outcome
    }
  }
}
