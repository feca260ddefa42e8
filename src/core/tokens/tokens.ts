/**
 * The tokens of an authorization: issued and refreshed (issued-tokens.ts), introspected, revoked. All of them are valid only
 * while the authorization's record is, so revoking any of them revokes the authorization.
 */
import type { Whence } from '../audit/event.js'
import type { Authorization } from '../authorizations/authorization.js'
import { type Client, isPublic } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { isWithin, readScope, writeScope } from '../clients/scope.js'
import { fault } from '../fault.js'
import { type AccessTokenClaims, isForIssuer } from './access-tokens.js'
import { createTokenIssue, startOf, type TokenIssue, type TokenIssueParts } from './issued-tokens.js'
import { looksLikeRefreshToken } from './refresh-tokens.js'

/** What introspection tells about a valid token (RFC 7662 §2.2). Times are Unix seconds, as in the token. */
export interface TokenFacts {
  kind: 'access_token' | 'refresh_token'
  /** The `jti`: of an access token its own, of a refresh token the id of its family, which is that of the authorization. */
  id: string
  authorization: Authorization
  /** `aud` of an access token. */
  audience?: string
  scope: string
  issuedAtSeconds: number
  expiresAtSeconds: number
}

export interface Tokens extends TokenIssue {
  /**
   * Introspects a token (RFC 7662). Undefined if it is not valid, or a refresh token of another client than the caller. A
   * caller that is no client (an API key) may introspect access tokens only.
   */
  introspect(client: Client | undefined, token: string): Promise<TokenFacts | undefined>
  /**
   * The authorization of an access token for this resource (for this service itself, if undefined), and the scopes that the token
   * has. Rejects with `invalid_token`, and with `insufficient_scope` unless all of these are among them. Records its use.
   */
  check(
    token: string,
    resource: string | undefined,
    scopes: readonly string[]
  ): Promise<{ authorization: Authorization; scope: string }>
  /**
   * Revokes the authorization of a token of this client (RFC 7009); any other token is ignored. Without a client it is revoked for
   * whoever holds the token of a public client, which could prove no more; the token of another is `not_public`.
   */
  revoke(client: Client | undefined, token: string, from: Whence): Promise<'revoked' | 'nothing' | 'not_public'>
  /**
   * The authorization that verified claims belong to, unless it ended or its user is blocked; records its use. Undefined for a
   * token that is for a resource: at this service itself it stands for nobody.
   */
  holderOf(claims: AccessTokenClaims): Promise<Authorization | undefined>
}

export interface TokensParts extends TokenIssueParts {
  clients: Clients
}

export function createTokens(parts: TokensParts): Tokens {
  const { authorizations, clients, accessTokens, refreshTokens } = parts
  const { findForUse } = authorizations

  async function openAccessToken(token: string, find = findForUse) {
    const opened = await accessTokens.open(token)
    if (opened.kind !== 'good') return undefined
    const authorization = await findHolder(opened.claims, find)
    return authorization && { authorization, claims: opened.claims }
  }

  async function findHolder(claims: AccessTokenClaims, find = findForUse) {
    // Tokens of a client that the operator has removed from OAUTH_CLIENTS_FILE are no longer valid, nor are those for a resource
    // that it may not ask for any more.
    const client = clients.find(claims.client_id)
    const isAllowed = isForIssuer(claims) || client?.resources.some(({ identifier }) => identifier === claims.aud)
    return client && isAllowed ? find(claims.sub, claims.cid) : undefined
  }

  return {
    ...createTokenIssue(parts),

    async introspect(client, token) {
      if (looksLikeRefreshToken(token)) {
        const opened = await refreshTokens.open(token, findForUse)
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
      const { jti, aud, scope, iat, exp } = opened.claims
      return {
        kind: 'access_token',
        id: jti,
        authorization: opened.authorization,
        audience: aud,
        scope,
        issuedAtSeconds: iat,
        expiresAtSeconds: exp
      }
    },

    async check(token, resource, scopes) {
      const opened = await openAccessToken(token)
      const isMeant = opened && (resource === undefined ? isForIssuer(opened.claims) : opened.claims.aud === resource)
      if (!isMeant) throw fault('invalid_token')
      const { authorization, claims } = opened
      await authorizations.noteUse(authorization)
      if (!isWithin(scopes, readScope(claims.scope) ?? [])) {
        throw fault('insufficient_scope', { scope: writeScope(scopes) })
      }
      return { authorization, scope: claims.scope }
    },

    async revoke(client, token, from) {
      // A client may give up what it holds of a blocked user, too.
      const open = looksLikeRefreshToken(token) ? refreshTokens.open : openAccessToken
      const opened = await open(token, authorizations.find)
      const holder = opened && clients.find(opened.authorization.clientId)
      if (!holder || (client && client.id !== holder.id)) return 'nothing'
      if (!client && !isPublic(holder)) return 'not_public'
      const { userId, id } = opened.authorization
      await authorizations.revoke(userId, id, 'token', { actor: `client:${holder.id}`, ...from })
      return 'revoked'
    },

    async holderOf(claims) {
      const authorization = isForIssuer(claims) ? await findHolder(claims) : undefined
      if (authorization) await authorizations.noteUse(authorization)
      return authorization
    }
  }
}
