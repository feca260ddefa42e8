/**
 * The tokens of an authorization: issued for a grant, refreshed, asked about, revoked. All of them stand and fall with the
 * record of their authorized authorization, so whatever revokes one of them revokes that.
 */
import type { Authorization } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import type { Client } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { isWithin, writeScope } from '../clients/scope.js'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { AccessTokenClaims, AccessTokens } from './access-tokens.js'
import type { IdTokens } from './id-tokens.js'
import { REMEMBERED } from './refresh-family.js'
import type { RefreshFamilyStore } from './refresh-family-store.js'
import { looksLikeRefreshToken, type RefreshTokenTexts } from './refresh-token.js'

/** What a client gets for an approved grant or a refresh token (RFC 6749 §5.1). */
export interface IssuedTokens {
  accessToken: string
  accessTokenExpiresAtMs: number
  /** The scope of the access token. */
  scopes: readonly string[]
  /** With `offline_access`. */
  refreshToken?: string
  /** With `openid`. */
  idToken?: string
}

/** What a refresh comes to. `replayed`: the token was used before, and the authorization is revoked for it. */
export type RefreshOutcome =
  | { kind: 'refreshed'; tokens: IssuedTokens }
  | { kind: 'invalid' | 'replayed' | 'invalid_scope' }

/** What is told of a valid token (RFC 7662 §2.2). Times are in seconds, as in the token. */
export interface TokenFacts {
  kind: 'access_token' | 'refresh_token'
  authorization: Authorization
  scope: string
  issuedAtSeconds: number
  expiresAtSeconds: number
}

export interface Tokens {
  /**
   * The first tokens of an authorization: the same ones for the same grant code, with what has become of their refresh token
   * since. Rejects with `unavailable` when they could not be made.
   */
  issue(client: Client, authorization: Authorization, grantCode: string): Promise<IssuedTokens>
  /** Rotates a refresh token (RFC 6749 §6), within the scopes it has or fewer. */
  refresh(client: Client, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome>
  /**
   * What a token stands for; undefined if it is not valid, or a refresh token of another client than the one that asks. Who asks
   * without being a client is told of access tokens alone.
   */
  introspect(client: Client | undefined, token: string): Promise<TokenFacts | undefined>
  /** Revokes the authorization behind a token of this client; any other token changes nothing. */
  revoke(client: Client, token: string): Promise<'revoked' | 'nothing'>
  /** The authorization behind genuine claims, if it may act now; notes that it did. */
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

  /** The family's current token, reached from one of its recent ones: each follows from the one before. */
  function currentOf(digest: string, from: readonly string[]): string {
    let tokens = from
    for (let step = 0; step <= REMEMBERED; step++) {
      const current = tokens.find((token) => digestOf(token) === digest)
      if (current) return current
      tokens = tokens.flatMap(texts.next)
    }
    // Made under a secret that this instance has not been given yet; another instance, or a later try, can tell.
    throw fault('unavailable', { detail: 'the current refresh token is out of reach' })
  }

  async function firstRefreshToken(authorization: Authorization, grantCode: string): Promise<string> {
    const tokens = texts.first(authorization.id, grantCode)
    const first = { userId: authorization.userId, currentDigest: digestOf(tokens[0] as string) }
    const { currentDigest } = await families.begin(authorization.id, first, authorization.expiresAtMs)
    return currentOf(currentDigest, tokens)
  }

  /** The authorization behind a genuine refresh token, while it lasts. */
  async function openRefreshToken(token: string) {
    const id = texts.read(token)
    if (id === undefined) return undefined
    const family = await families.find(id)
    if (!family) return undefined
    const authorization = await authorizations.find(family.userId, id)
    return authorization && { authorization, isCurrent: family.currentDigest === digestOf(token) }
  }

  async function openAccessToken(token: string) {
    const opened = await accessTokens.open(token)
    if (opened.kind !== 'good') return undefined
    const authorization = await findHolder(opened.claims)
    return authorization && { authorization, claims: opened.claims }
  }

  async function findHolder({ sub, cid, client_id }: AccessTokenClaims): Promise<Authorization | undefined> {
    // Whose client the operator has taken away may do nothing more.
    return clients.find(client_id) && authorizations.find(sub, cid)
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
      const tokens = mint(client, authorization, authorization.createdAtMs, authorization.scopes)
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
          authorization,
          scope: writeScope(authorization.scopes),
          issuedAtSeconds: Math.floor(authorization.createdAtMs / 1000),
          expiresAtSeconds: Math.floor(authorization.expiresAtMs / 1000)
        }
      }
      const opened = await openAccessToken(token)
      if (!opened) return undefined
      // Whoever asks was shown the token.
      await authorizations.noteUse(opened.authorization)
      const { scope, iat, exp } = opened.claims
      return {
        kind: 'access_token',
        authorization: opened.authorization,
        scope,
        issuedAtSeconds: iat,
        expiresAtSeconds: exp
      }
    },

    async revoke(client, token) {
      const opened = looksLikeRefreshToken(token) ? await openRefreshToken(token) : await openAccessToken(token)
      if (opened?.authorization.clientId !== client.id) return 'nothing'
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
