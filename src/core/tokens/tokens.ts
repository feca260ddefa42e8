/**
 * The tokens of an authorization: issued for a grant, refreshed, introspected, revoked. All of them are valid only while the
 * authorization's record is, so revoking any of them revokes the authorization.
 */
import type { Authorization } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import type { Clients } from '../clients/client.js'
import { type Client, isPublic } from '../clients/client.js'
import { isWithin, writeScope } from '../clients/scope.js'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { AccessTokenClaims, AccessTokens } from './access-tokens.js'
import type { IdTokens } from './id-tokens.js'
import { REMEMBERED, type RefreshFamilyStore } from './refresh-family.js'
import { looksLikeRefreshToken, type RefreshTokenTexts } from './refresh-token.js'

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

/** What introspection tells about a valid token (RFC 7662 §2.2). Times are Unix seconds, as in the token. */
export interface TokenFacts {
  kind: 'access_token' | 'refresh_token'
  /** The `jti`: of an access token its own, of a refresh token the id of its family, which is that of the authorization. */
  id: string
  authorization: Authorization
  scope: string
  issuedAtSeconds: number
  expiresAtSeconds: number
}

export interface Tokens {
  /**
   * The tokens of an authorization for the client that collects it. For the same grant code they are the same again, except that
   * the access token has a `jti` of its own, and the refresh token is the family's current one. Rejects with `unavailable`.
   */
  issue(client: Client, authorization: Authorization, grantCode: string): Promise<IssuedTokens>
  /** Rotates a refresh token (RFC 6749 §6), optionally with fewer scopes for the new access token. */
  refresh(client: Client, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome>
  /**
   * Introspects a token (RFC 7662). Undefined if it is not valid, or a refresh token of another client than the caller. A
   * caller that is no client (an API key) may introspect access tokens only.
   */
  introspect(client: Client | undefined, token: string): Promise<TokenFacts | undefined>
  /**
   * Revokes the authorization of a token of this client (RFC 7009); any other token is ignored. Without a client it is revoked for
   * whoever holds the token of a public client, which could prove no more; the token of another is `not_public`.
   */
  revoke(client: Client | undefined, token: string): Promise<'revoked' | 'nothing' | 'not_public'>
  /** The authorization that verified claims belong to, unless it ended or its user is blocked; records its use. */
  holderOf(claims: AccessTokenClaims): Promise<Authorization | undefined>
}

/** Told of what happens, for the metrics. */
export interface TokenEvents {
  /** A refresh token was presented. */
  refreshed(outcome: RefreshOutcome['kind']): void
}

export interface TokensParts {
  authorizations: Authorizations
  clients: Clients
  accessTokens: AccessTokens
  idTokens: IdTokens
  texts: RefreshTokenTexts
  families: RefreshFamilyStore
  clock: Clock
  events: TokenEvents
}

export function createTokens(parts: TokensParts): Tokens {
  const { authorizations, clients, accessTokens, idTokens, texts, families, clock, events } = parts

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

  /** The family's current token, found by deriving successors from a recent one until the digest matches. */
  function currentOf(digest: string, from: readonly string[]): string {
    let tokens = from
    for (let step = 0; step <= REMEMBERED; step++) {
      const current = tokens.find((token) => digestOf(token) === digest)
      if (current) return current
      tokens = tokens.flatMap(texts.next)
    }
    // Another instance derived it under a secret that this one does not have yet: a retry may reach an instance that does.
    throw fault('unavailable', { detail: 'the current refresh token is out of reach' })
  }

  async function firstRefreshToken(authorization: Authorization, grantCode: string): Promise<string> {
    const tokens = texts.first(authorization.id, grantCode)
    const first = { userId: authorization.userId, currentDigest: digestOf(tokens[0] as string) }
    const { currentDigest } = await families.begin(authorization.id, first, authorization.expiresAtMs)
    return currentOf(currentDigest, tokens)
  }

  const { findForUse } = authorizations
  /** The times of tokens are counted from the collection. */
  const startOf = ({ collectedAtMs, createdAtMs }: Authorization) => collectedAtMs ?? createdAtMs

  /** The valid authorization of a genuine refresh token, and whether the token is the current one. */
  async function openRefreshToken(token: string, find = findForUse) {
    const id = texts.read(token)
    if (id === undefined) return undefined
    const family = await families.find(id)
    if (!family) return undefined
    const authorization = await find(family.userId, id)
    return authorization && { authorization, isCurrent: family.currentDigest === digestOf(token) }
  }

  async function openAccessToken(token: string, find = findForUse) {
    const opened = await accessTokens.open(token)
    if (opened.kind !== 'good') return undefined
    const authorization = await findHolder(opened.claims, find)
    return authorization && { authorization, claims: opened.claims }
  }

  async function findHolder({ sub, cid, client_id }: AccessTokenClaims, find = findForUse) {
    // Tokens of a client that the operator has removed from OAUTH_CLIENTS_FILE are no longer valid.
    return clients.find(client_id) && find(sub, cid)
  }

  async function rotate(client: Client, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome> {
    const opened = await openRefreshToken(token)
    if (opened?.authorization.clientId !== client.id) return { kind: 'invalid' }
    const { authorization } = opened
    if (scopes && !isWithin(scopes, authorization.scopes)) return { kind: 'invalid_scope' }
    const tokens = mint(client, authorization, clock(), scopes ?? authorization.scopes)
    await authorizations.noteUse(authorization)

    const followers = texts.next(token)
    const rotation = await families.rotate(authorization.id, digestOf(token), digestOf(followers[0] as string))
    if (rotation.kind === 'replayed') {
      await authorizations.revoke(authorization.userId, authorization.id, 'replay')
      return { kind: 'replayed' }
    }
    if (rotation.kind !== 'rotated' && rotation.kind !== 'repeated') return { kind: 'invalid' }
    return { kind: 'refreshed', tokens: { ...tokens, refreshToken: currentOf(rotation.currentDigest, followers) } }
  }

  return {
    async issue(client, authorization, grantCode) {
      const tokens = mint(client, authorization, startOf(authorization), authorization.scopes)
      if (!authorization.scopes.includes('offline_access')) return tokens
      return { ...tokens, refreshToken: await firstRefreshToken(authorization, grantCode) }
    },

    async refresh(client, token, scopes) {
      const outcome = await rotate(client, token, scopes)
      events.refreshed(outcome.kind)
      return outcome
    },

    async introspect(client, token) {
      if (looksLikeRefreshToken(token)) {
        const opened = await openRefreshToken(token)
        if (!opened?.isCurrent || opened.authorization.clientId !== client?.id) return undefined
        const { authorization } = opened
        return {
          kind: 'refresh_token',
          id: authorization.id,
          authorization,
          scope: writeScope(authorization.scopes),
          issuedAtSeconds: Math.floor(startOf(authorization) / 1000),
          expiresAtSeconds: Math.floor(authorization.expiresAtMs / 1000)
        }
      }
      const opened = await openAccessToken(token)
      if (!opened) return undefined
      // The caller is a resource server that was shown the token, so this counts as a use.
      await authorizations.noteUse(opened.authorization)
      const { jti, scope, iat, exp } = opened.claims
      return {
        kind: 'access_token',
        id: jti,
        authorization: opened.authorization,
        scope,
        issuedAtSeconds: iat,
        expiresAtSeconds: exp
      }
    },

    async revoke(client, token) {
      // A client may give up what it holds of a blocked user, too.
      const open = looksLikeRefreshToken(token) ? openRefreshToken : openAccessToken
      const opened = await open(token, authorizations.find)
      const holder = opened && clients.find(opened.authorization.clientId)
      if (!holder || (client && client.id !== holder.id)) return 'nothing'
      if (!client && !isPublic(holder)) return 'not_public'
      await authorizations.revoke(opened.authorization.userId, opened.authorization.id, 'token')
      return 'revoked'
    },

    async holderOf(claims) {
      const authorization = await findHolder(claims)
      if (authorization) await authorizations.noteUse(authorization)
      return authorization
    }
  }
}
