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
