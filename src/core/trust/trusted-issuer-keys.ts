/**
 * The keys of foreign issuers, found by discovery (OpenID Connect Discovery 1.0 §4). Each process caches a bounded
 * number of key sets. A set is fetched once for all waiting callers, and again for an unknown key at most once a
 * minute.
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { ForbiddenUrlError, type GuardedFetch } from './guarded-fetch.js'

const FRESH_MS = 600_000
const AGAIN_AFTER_MS = 60_000
/** How long a failure is answered from the cache, so that waiting callers do not each ask an unreachable issuer. */
const FAILED_FOR_MS = 5_000
const MOST_HELD = 1_000

export interface TrustedKeySet {
  keys: JWTVerifyGetKey
  /** The fingerprints of the certificates under which the issuer published its discovery document. */
  fingerprints: readonly string[]
  /** Whether the issuer uses TLS and so has certificates. */
  isTls: boolean
}

export interface TrustedIssuerKeys {
  /**
   * Resolves to the keys of an issuer; `again` asks for newer ones than the cached. Undefined for an issuer that must
   * not be asked, or whose discovery document is invalid. Rejects with `unavailable` when it could not be asked.
   */
  of(issuer: string, again?: boolean): Promise<TrustedKeySet | undefined>
}

interface Held {
  set: Promise<TrustedKeySet | undefined>
  untilMs: number
  /** From this time on, an unknown key lets the set be fetched again. */
  againFromMs: number
  /** The newer set that is being fetched. Only callers whose key was unknown wait for it. */
  newer?: Promise<TrustedKeySet | undefined>
}

export function createTrustedIssuerKeys(fetch: GuardedFetch, clock: Clock): TrustedIssuerKeys {
  const held = createBoundedCache<Held>(MOST_HELD)

  async function look(issuer: string): Promise<TrustedKeySet | undefined> {
    try {
      const discovery = await fetch(`${issuer}/.well-known/openid-configuration`)
      const { issuer: named, jwks_uri: jwksUri } = (discovery.body ?? {}) as Record<string, unknown>
      if (typeof named !== 'string' || named.replace(/\/$/, '') !== issuer || typeof jwksUri !== 'string')
        return undefined
      // Anybody on the network could replace keys fetched without TLS, so an issuer with TLS must also publish its keys
      // with TLS.
      const isTls = issuer.startsWith('https:')
      if (isTls && !jwksUri.startsWith('https:')) return undefined
      const { body } = await fetch(jwksUri)
      return { keys: createLocalJWKSet(body as JSONWebKeySet), fingerprints: discovery.fingerprints, isTls }
    } catch (error) {
      if (error instanceof ForbiddenUrlError) return undefined
      const detail = `a foreign issuer: ${error instanceof Error ? error.message : String(error)}`
      throw fault('unavailable', { detail, cause: error })
    }
  }

  return {
    of(issuer, again = false) {
      const known = held.get(issuer)
      const isGood = known !== undefined && clock() < known.untilMs
      if (isGood && !again) return known.set
      if (known && again && clock() < known.againFromMs) return known.newer ?? known.set
      const set = look(issuer)
      const againFromMs = clock() + AGAIN_AFTER_MS
      const found = { set, untilMs: clock() + FRESH_MS, againFromMs }
      const meanwhile = isGood ? { ...known, againFromMs, newer: set } : found
      held.set(issuer, meanwhile)
      set.then(
        (keys) => {
          // An invalid answer does not replace a set that is still fresh.
          if (held.get(issuer) === meanwhile && (keys || !isGood)) held.set(issuer, found)
        },
        () => {
          // Without a fresh set, all callers get the failure for a few seconds.
          const failedUntilMs = clock() + FAILED_FOR_MS
          if (held.get(issuer) === meanwhile && !isGood)
            held.set(issuer, { set, untilMs: failedUntilMs, againFromMs: failedUntilMs })
        }
      )
      return set
    }
  }
}
