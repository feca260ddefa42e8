/** Signs session JWTs as the dashboard of an operator does for its users. */
import { SignJWT } from 'jose'

export const DASHBOARD_SECRET = 'the dashboard signs its sessions with this'

/** The characters of base64url, in their order. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** A JWT in other spellings of the same bytes: padded, and with a spare bit of its signature set. */
export function respelt(token: string): string[] {
  const [header, payload, signature = ''] = token.split('.')
  const last = ALPHABET[ALPHABET.indexOf(signature.at(-1) ?? '') + 1]
  const spellings = [`${signature}=`, `${signature}==`, `${signature.slice(0, -1)}${last}`]
  return spellings.map((one) => `${header}.${payload}.${one}`)
}

interface SessionOptions {
  secret?: string
  /** The end of the session: a duration such as "10m", or a time in seconds since 1970. */
  expires?: string | number
  claims?: Record<string, unknown>
}

/** Signs the session JWT of a user, by default for ten minutes. */
export function sessionOf(
  userId: string,
  { secret = DASHBOARD_SECRET, expires = '10m', claims = {} }: SessionOptions = {}
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret))
}
