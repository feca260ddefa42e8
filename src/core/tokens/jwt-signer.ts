/**
 * The core's interface to a JWT library. The algorithm is always the key's own, never the one named by a token (RFC 8725 §3.1).
 */
import type { SigningKey } from './signing-key.js'

/** What a token must satisfy besides a valid signature and an unexpired lifetime. */
export interface ExpectedToken {
  /** The required header `typ`, compared case-insensitively. */
  typ: string
  /** The required `iss` and `aud`; undefined to accept any. */
  issuer: string | undefined
  /** The names of claims that must be present. */
  claims: readonly string[]
}

export interface JwtSigner {
  /** Signs exactly these claims as a compact JWS (RFC 7515 §3.1); the header holds `alg`, `kid` and `typ`. */
  sign(claims: object, key: SigningKey, header: { typ: string }): string
  /**
   * The claims of a token that this key signed and that is within its lifetime (`nbf`, `exp`). Throws otherwise. It checks that
   * the required claims are present, but not their values, which the caller validates.
   */
  verify<Claims extends object>(token: string, key: SigningKey, expected: ExpectedToken): Claims
}
