/** The ID token (OpenID Connect Core 1.0 §2): tells a client that has the scope `openid` who the user is. */
import type { Authorization } from '../authorizations/authorization.js'
import { fault } from '../fault.js'
import type { JwtSigner } from './signing-key.js'
import type { SigningKeys } from './signing-keys.js'

/** An hour is enough: a client reads its ID token once, when it receives it. */
export const ID_TOKEN_TTL_SECONDS = 3_600

/** What a client learns of the sign-in behind an approval: of that alone, so an ID token of a refresh says nothing of it. */
export interface SignInFacts {
  /** As the client sent it. */
  nonce?: string | undefined
  signedInAtMs?: number | undefined
}

export interface IdTokens {
  /** Throws `unavailable` while there is no signing key. */
  mint(authorization: Authorization, issuedAtMs: number, signIn: SignInFacts): string
}

export interface IdTokensParts {
  keys: SigningKeys
  jwt: JwtSigner
  issuer: string
}

export function createIdTokens({ keys, jwt, issuer }: IdTokensParts): IdTokens {
  return {
    mint(authorization, issuedAtMs, { nonce, signedInAtMs }) {
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const iat = Math.floor(issuedAtMs / 1000)
      const claims = {
        iss: issuer,
        sub: authorization.userId,
        aud: authorization.clientId,
        iat,
        exp: iat + ID_TOKEN_TTL_SECONDS,
        ...(signedInAtMs !== undefined && { auth_time: Math.floor(signedInAtMs / 1000) }),
        ...(nonce !== undefined && { nonce })
      }
      // Another `typ` than that of access tokens (at+jwt), so that an ID token is not accepted as one (RFC 9068 §5).
      return jwt.sign(claims, key, { typ: 'JWT' })
    }
  }
}
