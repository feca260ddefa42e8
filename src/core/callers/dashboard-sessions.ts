/**
 * Who the user is: a dashboard's session JWT, verified by configuration alone. `sub` is the user id.
 * With a secret only HS256 is accepted; with a key set URL only RS256, ES256 and EdDSA, each with a key of its own kind.
 */
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { isUserId } from '../users/user-id.js'

export interface DashboardSessions {
  /**
   * The user a genuine session JWT stands for, or undefined.
   * Rejects with `unavailable` when the dashboard's keys could not be fetched: that says nothing about the token.
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
          // Cached for ten minutes; an unknown kid makes it look again, at most once a minute.
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

/** Everything about the token itself is a JOSEError with a code of its own; what is left is the network's doing. */
function couldNotFetchKeys(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true
  return error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
}
