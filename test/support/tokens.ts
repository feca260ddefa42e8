/** Session JWTs of a dashboard, as its users bring them. */
import { SignJWT } from 'jose'

export const DASHBOARD_SECRET = 'the dashboard signs its sessions with this'

interface SessionOptions {
  secret?: string
  /** From now on; "10m" or a number of seconds since 1970. */
  expires?: string | number
  claims?: Record<string, unknown>
}

/** A session JWT of a user, good for ten minutes. */
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
