/**
 * Session JWTs of the dashboard, whose `sub` is the user id. Shared secrets verify HS256 and nothing else; the keys of a JWK Set only
 * RS256, ES256 and EdDSA (Ed25519), each with a key of the matching type, so that no public key can serve as an HMAC secret.
 */
import { decodeProtectedHeader, errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import { isCompactJws } from '../trust/compact-jws.js'
import { createDashboardKeys, verifyWithKept } from '../trust/kept-key-sets.js'
import { isUserId } from '../users/user.js'

/** How far the clock of the dashboard may be off. */
const LEEWAY_SECONDS = 30
const SECRET_ALGORITHM = 'HS256'
/** Ed25519 is the newer name of EdDSA with that curve (RFC 9864 §2.2). */
const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'Ed25519']

export interface DashboardSessions {
  /**
   * The user of a valid session JWT, and when they signed in if it tells; undefined if it is not valid. Rejects with `unavailable` when the dashboard's keys could
   * not be fetched, which leaves open whether the token is valid.
   */
  verify(token: string): Promise<{ userId: string; authenticatedAtMs?: number } | undefined>
}

export interface DashboardSessionsParts {
  secrets: readonly string[]
  jwksUrl: string | undefined
  issuer: string | undefined
  audience: string | undefined
  /** How far ahead `exp` may be where the key is one of a JWK Set. */
  ttlSeconds: number
  clock: Clock
}

interface Verified {
  payload: JWTPayload
  protectedHeader: JWTHeaderParameters
}

export function createDashboardSessions(parts: DashboardSessionsParts): DashboardSessions {
  const { jwksUrl, issuer, audience, ttlSeconds, clock } = parts
  const secrets = parts.secrets.map((text) => new TextEncoder().encode(text))
  const keys = jwksUrl === undefined ? undefined : createDashboardKeys(jwksUrl, clock)
  const expected = {
    requiredClaims: ['sub', 'exp'],
    clockTolerance: LEEWAY_SECONDS,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience })
  }

  async function verifyBySecrets(token: string, nowSeconds: number): Promise<Verified | undefined> {
    const currentDate = new Date(nowSeconds * 1000)
    for (const secret of secrets) {
      try {
        const verified = await jwtVerify(token, secret, { ...expected, algorithms: [SECRET_ALGORITHM], currentDate })
        // Whoever shares the secret signs for this service alone, and gets no time beyond what they say.
        return Number(verified.payload.exp) > nowSeconds ? verified : undefined
      } catch (error) {
        // Another of the secrets may have signed it.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    }
    return undefined
  }

  async function verifyByKeys(token: string, nowSeconds: number): Promise<Verified | undefined> {
    if (!keys) return undefined
    const currentDate = new Date(nowSeconds * 1000)
    const verified = await verifyWithKept(keys, token, { ...expected, algorithms: ALGORITHMS, currentDate })
    const { exp = Number.NaN, iat = nowSeconds } = verified?.payload ?? {}
    const isInBounds = exp <= nowSeconds + ttlSeconds + LEEWAY_SECONDS && iat <= nowSeconds + LEEWAY_SECONDS
    return isInBounds ? verified : undefined
  }

  return {
    async verify(token) {
      if (!isCompactJws(token)) return undefined
      try {
        const nowSeconds = Math.floor(clock() / 1000)
        const isBySecret = decodeProtectedHeader(token).alg === SECRET_ALGORITHM
        const verified = await (isBySecret ? verifyBySecrets : verifyByKeys)(token, nowSeconds)
        if (!verified || !isOfASession(verified)) return undefined
        const { sub } = verified.payload
        return isUserId(sub) ? { userId: sub, ...signInOf(verified.payload, nowSeconds) } : undefined
      } catch (error) {
        if (isFault(error)) throw error
        // Callers do not distinguish why a token is invalid.
        return undefined
      }
    }
  }
}

/**
 * Whether a JWT may be a session by its `typ`, which says what it is for (RFC 8725 §3.11), and holds no security event, as
 * logout tokens do (RFC 8417 §2.2, OpenID Connect Back-Channel Logout 1.0 §2.4), many of which are of type JWT.
 */
function isOfASession({ protectedHeader: { typ }, payload }: Verified): boolean {
  // "application/" may be left out (RFC 7515 §4.1.9).
  const isJwt = typ === undefined || (typeof typ === 'string' && /^(application\/)?jwt$/i.test(typ))
  return isJwt && !Object.hasOwn(payload, 'events')
}

/**
 * When the user signed in: as `auth_time` tells it (OpenID Connect Core 1.0 §2), or else when the session was made out. A dashboard
 * that makes out a new one for the same sign-in has to tell the time of that.
 */
function signInOf({ auth_time: authTime, iat }: JWTPayload, nowSeconds: number): { authenticatedAtMs?: number } {
  const seconds = authTime ?? iat
  // A time far ahead, such as one in milliseconds, would be after every start.
  if (typeof seconds !== 'number' || seconds > nowSeconds + LEEWAY_SECONDS) return {}
  return { authenticatedAtMs: seconds * 1000 }
}
