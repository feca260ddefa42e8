/** The ID token (OpenID Connect Core 1.0 §2): who the user is, told to the one client that asked with `openid`. */
import type { Authorization } from '../authorizations/authorization.js'
import { fault } from '../fault.js'
import type { JwtSigner } from './jwt-signer.js'
import type { SigningKeys } from './signing-keys.js'

/** It is read at once and then thrown away. */
export const ID_TOKEN_TTL_SECONDS = 3_600

export interface IdTokens {
  /** Throws `unavailable` while there is no signing key. */
  mint(authorization: Authorization, issuedAtMs: number): string
}

export interface IdTokensParts {
  keys: SigningKeys
  jwt: JwtSigner
  issuer: string
}

export function createIdTokens({ keys, jwt, issuer }: IdTokensParts): IdTokens {
  return {
    mint(authorization, issuedAtMs) {
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const iat = Math.floor(issuedAtMs / 1000)
      const claims = {
        iss: issuer,
        sub: authorization.userId,
        aud: authorization.clientId,
        iat,
        exp: iat + ID_TOKEN_TTL_SECONDS
      }
      // Its own type keeps it from being taken for an access token, here and anywhere.
      return jwt.sign(claims, key, { typ: 'JWT' })
    }
  }
}
