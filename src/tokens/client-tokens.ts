/**
 * The client JWT (RFC 9068 profile): minted from an authorized client's record whenever it is collected, never stored.
 * Verifying here means the signature and the claims; whether the client may still act is its record's to say.
 */
import type { AuthorizedClient } from '../authorized-clients/authorized-client.js'
import { fault } from '../fault.js'
import { CLIENT_TYPES } from '../grants/grant.js'
import { isUserId } from '../users/user-id.js'
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
  verify(token: string, key: SigningKey, expected: { issuer: string | undefined; typ: string }): ClientTokenClaims
}

export interface ClientTokens {
  /** Rejects with `unavailable` while there is no signing key. */
  mint(client: AuthorizedClient): string
  /** The key of ours that a token names; undefined if it names none, and so is somebody else's. Proves nothing. */
  keyOf(header: { typ?: unknown; kid?: unknown }): Promise<SigningKey | undefined>
  /** The claims of a genuine, unexpired client JWT, or undefined. */
  verify(token: string, key: SigningKey): ClientTokenClaims | undefined
}

const TYP = 'at+jwt'

export interface ClientTokensParts {
  keys: SigningKeys
  jwt: JwtSigner
  /** `iss` and `aud` of the tokens made here. */
  issuer: string
  /** What they must be in a token that is shown here; undefined lets the signature decide alone. */
  expectedIssuer: string | undefined
}

export function createClientTokens({ keys, jwt, issuer, expectedIssuer }: ClientTokensParts): ClientTokens {
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

    async keyOf({ typ, kid }) {
      return typeof kid === 'string' && typeof typ === 'string' && typ.toLowerCase() === TYP
        ? keys.find(kid)
        : undefined
    },

    verify(token, key) {
      let claims: ClientTokenClaims
      try {
        claims = jwt.verify(token, key, { issuer: expectedIssuer, typ: TYP })
      } catch {
        // The library says why in many ways; to the caller a token is good or it is not.
        return undefined
      }
      const wellFormed =
        isUserId(claims.sub) &&
        Number.isInteger(claims.iat) &&
        typeof claims.cid === 'string' &&
        claims.cid === claims.jti &&
        CLIENT_TYPES.some((type) => type === claims.client_type)
      return wellFormed ? claims : undefined
    }
  }
}
