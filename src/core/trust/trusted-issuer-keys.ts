/**
 * The keys of foreign issuers, found by discovery (OpenID Connect Discovery 1.0 §4). kept-key-sets.ts holds them, a bounded
 * number for each process; key-set.ts says which of them may verify a token.
 */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createFetchPlaces } from './fetch-places.js'
import { ForbiddenUrlError, type GuardedFetch } from './guarded-fetch.js'
import { createKeptKeySets, type Kept, type KeySetOf } from './kept-key-sets.js'
import { readKeySet } from './key-set.js'

/** How long a failure is answered from the cache, so that waiting callers do not each ask an unreachable issuer. */
const FAILED_FOR_MS = 5_000
/** How many issuers are asked at once, and how many of them by one owner. */
const MOST_AT_ONCE = 32
const MOST_OF_ONE_OWNER = 8

export interface TrustedKeySet extends Kept {
  /** The fingerprints of the certificates under which the issuer published its discovery document. */
  fingerprints: readonly string[]
  /** Whether the issuer uses TLS and so has certificates. */
  isTls: boolean
}

export interface TrustedIssuerKeys {
  /**
   * Resolves to the keys of an issuer; `again` asks for newer ones than the held. Undefined for an issuer that must not be
   * asked, or whose discovery document is invalid. Rejects with `unavailable` when it could not be asked, and with `overloaded`
   * while too many others are asked, for all or for this owner.
   */
  of: KeySetOf<TrustedKeySet>
}

export function createTrustedIssuerKeys(fetch: GuardedFetch, clock: Clock): TrustedIssuerKeys {
  const places = createFetchPlaces(MOST_AT_ONCE, MOST_OF_ONE_OWNER)

  async function ask(issuer: string): Promise<TrustedKeySet | undefined> {
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
      return { keys: readKeySet(body), fingerprints: discovery.fingerprints, isTls }
    } catch (error) {
      if (error instanceof ForbiddenUrlError) return undefined
      const detail = `a foreign issuer: ${error instanceof Error ? error.message : String(error)}`
      throw fault('unavailable', { detail, cause: error })
    }
  }

  /** Throws if there is no place. That is nothing about the issuer, so it is not kept. */
  function look(issuer: string, owner: string): Promise<TrustedKeySet | undefined> {
    if (!places.take(owner))
      throw fault('overloaded', { detail: 'too many foreign issuers are asked for keys already' })
    return ask(issuer).finally(() => places.leave(owner))
  }

  return { of: createKeptKeySets({ look, clock, failedForMs: FAILED_FOR_MS }) }
}
