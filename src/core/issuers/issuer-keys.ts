/**
 * The signing keys of each issuer: made with it, rotated on schedule and on command, published until the last token that an
 * old one signed has ended. Each instance holds those of the issuers it was asked about lately. A rotation that is due is
 * made when its issuer is next asked for, by one instance; an issuer nobody asks for has nothing to rotate for.
 */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { Keyring } from '../secrets/keyring.js'
import type { SigningAlg } from '../tokens/signing-key.js'
import type { SigningKeyStore } from '../tokens/signing-key-store.js'
import { createSigningKeys, type SigningKeys } from '../tokens/signing-keys.js'
import { LONGEST_TOKEN_SECONDS } from './issuer.js'

/** How long an instance goes by the keys it has. New ones are published for much longer before they sign. */
const FRESH_MS = 59_000
const MOST_HELD = 1_000

export interface IssuerKeys {
  /** Makes the first key of an issuer, off the event loop. */
  create(issuerId: string): Promise<void>
  /** Its keys as they are now. Rejects with `unavailable`. */
  of(issuerId: string): Promise<SigningKeys>
  /** Makes a successor to the newest key. */
  rotate(issuerId: string, when: 'published-ahead' | 'now'): Promise<{ kid: string; signsFromMs: number }>
  /** Destroys all of them. */
  destroy(issuerId: string): Promise<void>
}

export interface IssuerKeysParts {
  storeOf(issuerId: string): SigningKeyStore
  keyring: Keyring
  clock: Clock
  alg: SigningAlg
  rotateAfterSeconds: number
}

interface Held {
  keys: SigningKeys
  readAtMs: number
  reading: Promise<void> | undefined
}

export function createIssuerKeys(parts: IssuerKeysParts): IssuerKeys {
  const { storeOf, keyring, clock, alg, rotateAfterSeconds } = parts
  const held = createBoundedCache<Held>(MOST_HELD)

  /** The first key is made with the issuer and never later: whoever finds none asks for an issuer that is gone. */
  function keysOf(issuerId: string, makes: 'the first as well' | 'successors' = 'successors'): SigningKeys {
    const kept = storeOf(issuerId)
    const store: SigningKeyStore = {
      ...kept,
      succeed(predecessorKid, next, obsolete) {
        if (predecessorKid === undefined && makes === 'successors') return Promise.reject(fault('not_found'))
        return kept.succeed(predecessorKid, next, obsolete)
      }
    }
    return createSigningKeys({ store, keyring, clock, alg, tokenTtlSeconds: LONGEST_TOKEN_SECONDS })
  }

  async function read(keys: SigningKeys): Promise<void> {
    await keys.refresh()
    await keys.rotateIfOlder(rotateAfterSeconds * 1000)
  }

  return {
    async create(issuerId) {
      await keysOf(issuerId, 'the first as well').load()
    },

    async of(issuerId) {
      const known = held.get(issuerId) ?? { keys: keysOf(issuerId), readAtMs: 0, reading: undefined }
      held.set(issuerId, known)
      if (clock() - known.readAtMs >= FRESH_MS) {
        known.reading ??= read(known.keys)
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

    async rotate(issuerId, when) {
      const keys = keysOf(issuerId)
      await keys.refresh()
      held.delete(issuerId)
      return keys.rotate(when)
    },

    async destroy(issuerId) {
      held.delete(issuerId)
      await storeOf(issuerId).clear()
    }
  }
}
