/**
 * Session JWTs of the dashboard, whose `sub` is the user id. With a shared secret only HS256 is accepted; with the URL of a JWK
 * Set only RS256, ES256 and EdDSA, each with a key of the matching type, so that no public key can serve as an HMAC secret.
 */
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { isUserId } from '../users/user-id.js'

export interface DashboardSessions {
  /**
   * The user of a valid session JWT; undefined if it is not valid. Rejects with `unavailable` when the dashboard's keys could
   * not be fetched, which leaves open whether the token is valid.
   */
  verify(token: string): Promise<{ userId: string } | undefined>
}

export interface DashboardSessionsParts {
  key: { readonly secret: string } | { readonly jwksUrl: string }
  issuer: string | undefined
  audience: string | undefined
  clock: Clock
}

export function createDashboardSessions({ key, issuer, audience, clock }: DashboardSessionsParts): DashboardSessions {
  const expected = {
    requiredClaims: ['sub', 'exp'],
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience })
  }
  const verifyWith =
    'secret' in key
      ? verifierOf(new TextEncoder().encode(key.secret), ['HS256'])
      : verifierOf(
          // The JWK Set is cached for ten minutes. An unknown `kid` fetches it again, once a minute at most.
          createRemoteJWKSet(new URL(key.jwksUrl), {
            cooldownDuration: 60_000,
            cacheMaxAge: 600_000,
            timeoutDuration: 3_000
          }),
          ['RS256', 'ES256', 'EdDSA']
        )

  function verifierOf(key: Uint8Array | ReturnType<typeof createRemoteJWKSet>, algorithms: string[]) {
    return (token: string) => {
      const options = { ...expected, algorithms, currentDate: new Date(clock()) }
      return typeof key === 'function' ? jwtVerify(token, key, options) : jwtVerify(token, key, options)
    }
  }

  return {
    async verify(token) {
      try {
        const { sub } = (await verifyWith(token)).payload
        return isUserId(sub) ? { userId: sub } : undefined
      } catch (error) {
        if ('jwksUrl' in key && couldNotFetchKeys(error))
          throw fault('unavailable', { detail: "the dashboard's keys", cause: error })
        return undefined
      }
    }
  }
}

/** A fault of the token is a JOSEError with a specific code; all other errors come from fetching or parsing the JWK Set. */
function couldNotFetchKeys(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true
  return error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
}
