/**
 * The signing keys of each issuer: created with it, rotated on schedule and on command, and published until the last
 * token that an old key signed has expired. Each instance caches the keys of recently used issuers. A due rotation is
 * made when somebody next asks for the issuer, so an unused issuer costs nothing.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { Turns } from '../records/turns.js'
import type { Keyring } from '../secrets/keyring.js'
import type { SigningAlg, SigningKeyStore } from '../tokens/signing-key.js'
import { createSigningKeys, forRequest, type SigningKeys } from '../tokens/signing-keys.js'
import { LONGEST_TOKEN_SECONDS } from './issuer.js'

/** How long an instance uses cached keys. New keys are published for much longer before they sign. */
const FRESH_MS = 59_000
const MOST_HELD = 1_000
/** Whose turn it is when successors are generated. */
const SUCCESSORS = 'successors'

export interface IssuerKeys {
  /** Creates the first key of an issuer, off the event loop. Rejects with `overloaded` if too many wait for one, of its owner or of all. */
  create(issuerId: string, owner: string): Promise<void>
  /** Resolves to the current keys. Rejects with `unavailable`. */
  of(issuerId: string): Promise<SigningKeys>
  /** Creates a successor to the newest key. */
  rotate(issuerId: string, when: 'published-ahead' | 'now', by: Origin): Promise<{ kid: string; signsFromMs: number }>
  /** Deletes all keys of an issuer. */
  destroy(issuerId: string): Promise<void>
}

export interface IssuerKeysParts {
  storeOf(issuerId: string): SigningKeyStore
  keyring: Keyring
  clock: Clock
  alg: SigningAlg
  rotateAfterSeconds: number
  audit: Pick<AuditTrail, 'tell'>
  /** Of the generations of keys. */
  turns: Turns
}

interface Held {
  keys: SigningKeys
  readAtMs: number
  reading: Promise<void> | undefined
}

export function createIssuerKeys(parts: IssuerKeysParts): IssuerKeys {
  const { storeOf, keyring, clock, alg, rotateAfterSeconds, audit, turns } = parts
  const held = createBoundedCache<Held>(MOST_HELD)

  /**
   * The first key is created only with its issuer, in its owner's turn: a request that finds no key asks for a deleted issuer and
   * must not create one. All successors wait in one row, because nobody waits for them in particular.
   */
  function keysOf(issuerId: string, creator?: string): SigningKeys {
    const kept = storeOf(issuerId)
    const store: SigningKeyStore = {
      ...kept,
      succeed(predecessorKid, next, obsolete) {
        if (predecessorKid === undefined && creator === undefined) return Promise.reject(fault('not_found'))
        return kept.succeed(predecessorKid, next, obsolete)
      }
    }
    const inTurn = <T>(generation: () => Promise<T>) => turns(creator ?? SUCCESSORS, generation)
    const tokenTtlSeconds = LONGEST_TOKEN_SECONDS
    return createSigningKeys({ store, keyring, clock, alg, tokenTtlSeconds, audit, inTurn, issuerId })
  }

  async function read(keys: SigningKeys): Promise<void> {
    await keys.refresh()
    try {
      await keys.rotateIfOlder(rotateAfterSeconds * 1000)
    } catch (error) {
      // Where too many wait already, the keys that there are stay in use until they are read again.
      if (!isFault(error) || error.code !== 'overloaded') throw error
    }
  }

  return {
    async create(issuerId, owner) {
      await keysOf(issuerId, `owner ${owner}`).load()
    },

    async of(issuerId) {
      const known = held.get(issuerId) ?? { keys: keysOf(issuerId), readAtMs: 0, reading: undefined }
      held.set(issuerId, known)
      if (clock() - known.readAtMs >= FRESH_MS) {
        known.reading ??= forRequest(storeOf(issuerId), read(known.keys))
          .then(() => {
            known.readAtMs = clock()
          })
          .finally(() => {
            known.reading = undefined
          })
        await known.reading
      }
      return known.keys
    },

    async rotate(issuerId, when, by) {
      const keys = keysOf(issuerId)
      await keys.refresh()
      held.delete(issuerId)
      return keys.rotate(when, by)
    },

    async destroy(issuerId) {
      held.delete(issuerId)
      await storeOf(issuerId).clear()
    }
  }
}
