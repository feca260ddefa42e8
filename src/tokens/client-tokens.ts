/**
 * The client JWT (RFC 9068 profile): minted from an authorized client's record whenever it is collected, never stored.
 * Verifying here means the signature and the claims; whether the client may still act is its record's to say.
 */
import type { AuthorizedClient } from '../authorized-clients/authorized-client.js'
import { fault } from '../fault.js'
import { CLIENT_TYPES } from '../grants/grant.js'
import type { SigningKey } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'

export interface ClientTokenClaims {
  iss: string
  sub: string
  aud: string
  iat: number
  exp: number
  jti: string
  cid: string
  client_id: string
  client_type: string
  scope: string
}

/** The JWT library, as far as it is needed here: one algorithm per key, never taken from the token. */
export interface JwtSigner {
  sign(claims: ClientTokenClaims, key: SigningKey, header: { typ: string }): string
  /** The claims of a token that this key signed and whose time has come and not gone; throws otherwise. */
  verify(token: string, key: SigningKey, expected: { iss: string; aud: string; typ: string }): ClientTokenClaims
}

export interface ClientTokens {
  /** Rejects with `unavailable` while there is no signing key. */
  mint(client: AuthorizedClient): string
  /** Whether a token claims to be one of ours: nothing is proven by it. */
  isOurs(header: { typ?: unknown }, claims: { iss?: unknown }): boolean
  /** The claims of a genuine, unexpired client JWT, or undefined. */
  verify(token: string, kid: unknown): Promise<ClientTokenClaims | undefined>
}

const TYP = 'at+jwt'

export function createClientTokens(keys: SigningKeys, jwt: JwtSigner, issuer: string): ClientTokens {
  return {
    mint(client) {
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const claims: ClientTokenClaims = {
        iss: issuer,
        sub: client.userId,
        aud: issuer,
        iat: Math.floor(client.createdAtMs / 1000),
        exp: Math.floor(client.expiresAtMs / 1000),
        jti: client.id,
        cid: client.id,
        client_id: client.clientType,
        client_type: client.clientType,
        scope: ''
      }
      return jwt.sign(claims, key, { typ: TYP })
    },

    isOurs: (header, claims) =>
      typeof header.typ === 'string' && /^(application\/)?at\+jwt$/i.test(header.typ) && claims.iss === issuer,

    async verify(token, kid) {
      const key = typeof kid === 'string' ? await keys.find(kid) : undefined
      if (!key) return undefined
      let claims: ClientTokenClaims
      try {
        claims = jwt.verify(token, key, { iss: issuer, aud: issuer, typ: TYP })
      } catch {
        // The library says why in many ways; to the caller a token is good or it is not.
        return undefined
      }
      const wellFormed =
        typeof claims.sub === 'string' &&
        typeof claims.cid === 'string' &&
        claims.cid === claims.jti &&
        CLIENT_TYPES.some((type) => type === claims.client_type)
      return wellFormed ? claims : undefined
    }
  }
}
