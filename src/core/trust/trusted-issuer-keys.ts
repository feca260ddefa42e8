/**
 * The keys of foreign issuers, by discovery (OpenID Connect Discovery 1.0 §4): held by each process for a while, bounded in
 * number, fetched once for all who wait, and again for a key that is not known, at most once a minute.
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { ForbiddenUrlError, type GuardedFetch } from './guarded-fetch.js'

const FRESH_MS = 600_000
const AGAIN_AFTER_MS = 60_000
/** For how long a failure is answered from memory, so that those who wait do not each ask an issuer that is away. */
const FAILED_FOR_MS = 5_000
const MOST_HELD = 1_000

export interface TrustedKeySet {
  keys: JWTVerifyGetKey
  /** Of the certificates under which the issuer published them. */
  fingerprints: readonly string[]
  /** Whether the issuer is reached by TLS, and so has certificates. */
  isTls: boolean
}

export interface TrustedIssuerKeys {
  /**
   * The keys of an issuer; `again` asks for newer ones than those that are held. Undefined for an issuer that must not be asked
   * or says what it must not. Rejects with `unavailable` when it could not be asked.
   */
  of(issuer: string, again?: boolean): Promise<TrustedKeySet | undefined>
}

interface Held {
  set: Promise<TrustedKeySet | undefined>
  untilMs: number
  /** From when on a missing key lets the set be fetched again. */
  againFromMs: number
  /** The newer set that is being fetched, for those whose key is missing; nobody else waits for it. */
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
      // Keys fetched without TLS could be anybody's, so an issuer with TLS must publish them with TLS as well.
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
          // A set that is still fresh is not replaced by a refusal: it stays until it is too old.
          if (held.get(issuer) === meanwhile && (keys || !isGood)) held.set(issuer, found)
        },
        () => {
          // Without a fresh set the failure stands for a moment, for all who ask.
          const failedUntilMs = clock() + FAILED_FOR_MS
          if (held.get(issuer) === meanwhile && !isGood)
            held.set(issuer, { set, untilMs: failedUntilMs, againFromMs: failedUntilMs })
        }
      )
      return set
    }
  }
}
