/** What the core needs of a JWT library: one algorithm for each key, which is never taken from the token. */
import type { SigningKey } from './signing-key.js'

/** What a token must say to be accepted, beside being signed by the key and within its time. */
export interface ExpectedToken {
  /** The header `typ`, compared without regard to case. */
  typ: string
  /** What `iss` and `aud` must be; undefined lets the signature decide alone. */
  issuer: string | undefined
  /** Claims that must be there. */
  claims: readonly string[]
}

export interface JwtSigner {
  /** A compact JWS over the claims as they stand; nothing is added but the header's `alg`, `kid` and `typ`. */
  sign(claims: object, key: SigningKey, header: { typ: string }): string
  /**
   * The claims of a token that this key signed and whose time has come and not gone. Throws otherwise. That the claims are
   * there is checked, what they hold is not: the caller does that.
   */
  verify<Claims extends object>(token: string, key: SigningKey, expected: ExpectedToken): Claims
}
