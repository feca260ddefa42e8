/** The tokens that a client gets: for the grant it collects, and for a refresh token. */
import type { Whence } from '../audit/event.js'
import { type Authorization, isRefreshable } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import { accessTokenTtlOf, type Client } from '../clients/client.js'
import { type Resource, targetOf } from '../clients/resource.js'
import { isWithin } from '../clients/scope.js'
import type { Clock } from '../clock.js'
import type { AccessTokens } from './access-tokens.js'
import type { IdTokens, SignInFacts } from './id-tokens.js'
import type { RefreshTokens } from './refresh-tokens.js'

/** The tokens a client gets for an approved grant or a refresh token (RFC 6749 §5.1). The scope is that of the access token. */
export interface IssuedTokens {
  accessToken: string
  accessTokenExpiresAtMs: number
  scopes: readonly string[]
  /** Whether there are fewer than were requested, though there be none. */
  isNarrowed?: boolean
  /** Present with the scope `offline_access`. */
  refreshToken?: string
  /** Present with the scope `openid`. */
  idToken?: string
}

/** The outcome of a refresh. `replayed`: the token had been rotated before, so the authorization was revoked. */
export type RefreshOutcome =
  | { kind: 'refreshed'; tokens: IssuedTokens }
  | { kind: 'invalid' | 'replayed' | 'invalid_scope' | 'invalid_target' }

/** What a client collects an authorization with, and for: `target` is what targetOf has found. */
export interface Wanted {
  grantCode: string
  target: Resource | 'issuer'
  takesRefreshToken: boolean
  /** What the ID token says beside who the user is. */
  signIn: SignInFacts
}

export interface TokenIssue {
  /**
   * The tokens of an authorization for the client that collects it. For the same grant code they are the same again, except that
   * the access token has a `jti` of its own, and the refresh token is the family's current one. Rejects with `unavailable`.
   */
  issue(client: Client, authorization: Authorization, wanted: Wanted): Promise<IssuedTokens>
  /**
   * Rotates a refresh token (RFC 6749 §6), optionally with fewer scopes for the new access token, or for another of the approved
   * resources than the first (RFC 8707 §2.2).
   */
  refresh(
    client: Client,
    token: string,
    scopes: readonly string[] | undefined,
    resources: readonly string[],
    from: Whence
  ): Promise<RefreshOutcome>
}

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

  /** The ID token goes by all of the scopes; of them the access token has those that mean something to its resource. */
  function mint(
    authorization: Authorization,
    issuedAtMs: number,
    scopes: readonly string[],
    target: Resource | 'issuer',
    clientTtlSeconds: number,
    signIn: SignInFacts = {}
  ): IssuedTokens {
    const resource = target === 'issuer' ? undefined : target
    const ttlSeconds = Math.min(clientTtlSeconds, resource?.accessTokenTtlSeconds ?? clientTtlSeconds)
    const expiresAtMs = Math.min((Math.floor(issuedAtMs / 1000) + ttlSeconds) * 1000, authorization.expiresAtMs)
    const ofToken = resource ? scopes.filter((scope) => resource.scopes.includes(scope)) : scopes
    const terms = { issuedAtMs, expiresAtMs, scopes: ofToken, resource: resource?.identifier }
    return {
      accessToken: accessTokens.mint(authorization, terms),
      accessTokenExpiresAtMs: expiresAtMs,
      scopes: ofToken,
      ...(scopes.includes('openid') && { idToken: idTokens.mint(authorization, issuedAtMs, signIn) })
    }
  }

  const rotate: TokenIssue['refresh'] = async (client, token, scopes, resources, from) => {
    const opened = await refreshTokens.open(token, authorizations.findForUse)
    if (opened?.authorization.clientId !== client.id) return { kind: 'invalid' }
    const { authorization } = opened
    if (scopes && !isWithin(scopes, authorization.scopes)) return { kind: 'invalid_scope' }
    const target = targetOf(client.resources, authorization.resources, resources)
    if (target === 'invalid_target') return { kind: target }
    const tokens = mint(authorization, clock(), scopes ?? authorization.scopes, target, accessTokenTtlOf(client, true))
    await authorizations.noteUse(authorization)
    const rotation = await refreshTokens.rotate(authorization, token)
    if (rotation.kind === 'replayed') await authorizations.revokeReplayed(authorization, from)
    if (rotation.kind !== 'rotated') return { kind: rotation.kind }
    return { kind: 'refreshed', tokens: { ...tokens, refreshToken: rotation.current } }
  }

  return {
    async issue(client, authorization, { grantCode, target, takesRefreshToken, signIn }) {
      const hasRefreshToken = takesRefreshToken && isRefreshable(authorization)
      // Who collects again without a refresh token what was collected with one gets no token that outlives what revocations are told for.
      const { tokenLifeMs = Number.POSITIVE_INFINITY } = authorization
      const ttlSeconds = Math.min(accessTokenTtlOf(client, hasRefreshToken), tokenLifeMs / 1000)
      const tokens = mint(authorization, startOf(authorization), authorization.scopes, target, ttlSeconds, signIn)
      return hasRefreshToken ? { ...tokens, refreshToken: await refreshTokens.issue(authorization, grantCode) } : tokens
    },

    async refresh(...asked) {
      const outcome = await rotate(...asked)
      events.refreshed(outcome.kind)
      return outcome
    }
  }
}
