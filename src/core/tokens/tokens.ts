/**
 * The tokens of an authorization: issued for a grant, refreshed, asked about, revoked. All of them stand and fall with the
 * record of their authorized client, so whatever revokes one of them revokes that.
 */
import type { AuthorizedClient } from '../authorizations/authorization.js'
import type { AuthorizedClients } from '../authorizations/authorizations.js'
import type { OAuthClient } from '../clients/client.js'
import type { OAuthClients } from '../clients/clients.js'
import { isWithin, writeScope } from '../clients/scope.js'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { ClientTokenClaims, ClientTokens } from './access-tokens.js'
import type { IdTokens } from './id-tokens.js'
import type { IssuedTokens } from './issued-tokens.js'
import { REMEMBERED } from './refresh-family.js'
import type { RefreshFamilyStore } from './refresh-family-store.js'
import { looksLikeRefreshToken, type RefreshTokenTexts } from './refresh-token.js'

/** What a refresh comes to. `replayed`: the token was used before, and the authorization is revoked for it. */
export type RefreshOutcome =
  | { kind: 'refreshed'; tokens: IssuedTokens }
  | { kind: 'invalid' | 'replayed' | 'invalid_scope' }

/** What is told of a valid token (RFC 7662 §2.2). Times are in seconds, as in the token. */
export interface TokenFacts {
  kind: 'access_token' | 'refresh_token'
  authorizedClient: AuthorizedClient
  scope: string
  issuedAtSeconds: number
  expiresAtSeconds: number
}

export interface Tokens {
  /**
   * The first tokens of an authorization: the same ones for the same grant code, with what has become of their refresh token
   * since. Rejects with `unavailable` when they could not be made.
   */
  issue(oauthClient: OAuthClient, client: AuthorizedClient, grantCode: string): Promise<IssuedTokens>
  /** Rotates a refresh token (RFC 6749 §6), within the scopes it has or fewer. */
  refresh(oauthClient: OAuthClient, token: string, scopes: readonly string[] | undefined): Promise<RefreshOutcome>
  /**
   * What a token stands for; undefined if it is not valid, or a refresh token of another client than the one that asks. Who
   * asks without being a client is told of access tokens alone.
   */
  introspect(oauthClient: OAuthClient | undefined, token: string): Promise<TokenFacts | undefined>
  /** Revokes the authorization behind a token of this client; any other token changes nothing. */
  revoke(oauthClient: OAuthClient, token: string): Promise<'revoked' | 'nothing'>
  /** The authorized client behind genuine claims, if it may act now; notes that it did. */
  holderOf(claims: ClientTokenClaims): Promise<AuthorizedClient | undefined>
}

export interface TokensParts {
  authorizedClients: AuthorizedClients
  oauthClients: OAuthClients
  clientTokens: ClientTokens
  idTokens: IdTokens
  texts: RefreshTokenTexts
  families: RefreshFamilyStore
  clock: Clock
}

export function createTokens(parts: TokensParts): Tokens {
  const { authorizedClients, oauthClients, clientTokens, idTokens, texts, families, clock } = parts

  function mint(
    { accessTokenTtlSeconds }: OAuthClient,
    client: AuthorizedClient,
    issuedAtMs: number,
    scopes: readonly string[]
  ): IssuedTokens {
    const wholeSecondMs = Math.floor(issuedAtMs / 1000) * 1000
    const expiresAtMs = Math.min(wholeSecondMs + accessTokenTtlSeconds * 1000, client.expiresAtMs)
    const accessToken = clientTokens.mint(client, { issuedAtMs, expiresAtMs, scopes })
    return {
      accessToken,
      accessTokenExpiresAtMs: expiresAtMs,
      scopes,
      ...(scopes.includes('openid') && { idToken: idTokens.mint(client, issuedAtMs) })
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

  async function firstRefreshToken(client: AuthorizedClient, grantCode: string): Promise<string> {
    const tokens = texts.first(client.id, grantCode)
    const first = { userId: client.userId, currentDigest: digestOf(tokens[0] as string) }
    const { currentDigest } = await families.begin(client.id, first, client.expiresAtMs)
    return currentOf(currentDigest, tokens)
  }

  /** The authorization behind a genuine refresh token, while it lasts. */
  async function openRefreshToken(token: string) {
    const id = texts.read(token)
    if (id === undefined) return undefined
    const family = await families.find(id)
    if (!family) return undefined
    const client = await authorizedClients.find(family.userId, id)
    return client && { client, isCurrent: family.currentDigest === digestOf(token) }
  }

  async function openAccessToken(token: string) {
    const opened = await clientTokens.open(token)
    if (opened.kind !== 'good') return undefined
    const client = await findHolder(opened.claims)
    return client && { client, claims: opened.claims }
  }

  async function findHolder({ sub, cid, client_id }: ClientTokenClaims): Promise<AuthorizedClient | undefined> {
    // Whose client the operator has taken away may do nothing more.
    return oauthClients.find(client_id) && authorizedClients.find(sub, cid)
  }

  return {
    async issue(oauthClient, client, grantCode) {
      const tokens = mint(oauthClient, client, client.createdAtMs, client.scopes)
      if (!client.scopes.includes('offline_access')) return tokens
      return { ...tokens, refreshToken: await firstRefreshToken(client, grantCode) }
    },

    async refresh(oauthClient, token, scopes) {
      const opened = await openRefreshToken(token)
      if (opened?.client.clientId !== oauthClient.id) return { kind: 'invalid' }
      const { client } = opened
      if (scopes && !isWithin(scopes, client.scopes)) return { kind: 'invalid_scope' }
      const tokens = mint(oauthClient, client, clock(), scopes ?? client.scopes)
      await authorizedClients.noteUse(client)

      const followers = texts.next(token)
      const rotation = await families.rotate(client.id, digestOf(token), digestOf(followers[0] as string))
      if (rotation.kind === 'replayed') {
        await authorizedClients.revoke(client.userId, client.id)
        return { kind: 'replayed' }
      }
      if (rotation.kind !== 'rotated' && rotation.kind !== 'repeated') return { kind: 'invalid' }
      return { kind: 'refreshed', tokens: { ...tokens, refreshToken: currentOf(rotation.currentDigest, followers) } }
    },

    async introspect(oauthClient, token) {
      if (looksLikeRefreshToken(token)) {
        const opened = await openRefreshToken(token)
        if (!opened?.isCurrent || opened.client.clientId !== oauthClient?.id) return undefined
        const { client } = opened
        return {
          kind: 'refresh_token',
          authorizedClient: client,
          scope: writeScope(client.scopes),
          issuedAtSeconds: Math.floor(client.createdAtMs / 1000),
          expiresAtSeconds: Math.floor(client.expiresAtMs / 1000)
        }
      }
      const opened = await openAccessToken(token)
      if (!opened) return undefined
      // Whoever asks was shown the token.
      await authorizedClients.noteUse(opened.client)
      const { scope, iat, exp } = opened.claims
      return {
        kind: 'access_token',
        authorizedClient: opened.client,
        scope,
        issuedAtSeconds: iat,
        expiresAtSeconds: exp
      }
    },

    async revoke(oauthClient, token) {
      const opened = looksLikeRefreshToken(token) ? await openRefreshToken(token) : await openAccessToken(token)
      if (opened?.client.clientId !== oauthClient.id) return 'nothing'
      await authorizedClients.revoke(opened.client.userId, opened.client.id)
      return 'revoked'
    },

    async holderOf(claims) {
      const client = await findHolder(claims)
      if (client) await authorizedClients.noteUse(client)
      return client
    }
  }
}
