/**
 * A set of signing keys that all instances share: that of the service, or of one issuer. Keys are created, published and
 * rotated here. Each instance caches the set in memory, and reads it again when asked to or when it meets an unknown `kid`.
 * Which key signs follows from the keys' times alone, so that all instances agree.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditTrail } from '../audit/audit-trail.js'
import { BY_ITSELF, type Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import type { Keyring } from '../secrets/keyring.js'
import { namedRotation } from './rotation-detail.js'
import {
  newSigningKey,
  openSigningKey,
  type PublishedKey,
  publishedKey,
  type SigningAlg,
  type SigningKey,
  type SigningKeyStore,
  type StoredSigningKey
} from './signing-key.js'

/** How long verifiers may cache the published JWK Set. */
export const JWKS_MAX_AGE_SECONDS = 300
/** How long a new key is published before it signs: until cached JWK Sets are renewed and every instance has read it. */
const PUBLISHED_AHEAD_MS = (JWKS_MAX_AGE_SECONDS + 60) * 1000
/** How much longer than its last token a predecessor stays published, for verifiers whose clocks are slow. */
const SLACK_MS = 60_000
/** Caps the storage calls for unknown `kid`s, which anybody can send, at one in this time. Whoever asks meanwhile waits for the next. */
const LOOK_EVERY_MS = 100

export interface SigningKeys {
  /**
   * Loads the keys at start, and creates one if there is none. If the newest key does not have the configured algorithm, a
   * successor is created; only here, so that instances with different settings do not keep replacing each other's keys. Rejects
   * with `unavailable`, or with an Error that names a key which does not open.
   */
  load(): Promise<void>
  /** Reads the stored keys again, and creates one if there is none. Rejects like `load`. */
  refresh(): Promise<void>
  /**
   * Creates a successor to the newest key. It signs once verifiers had time to fetch it (six minutes), or `now`. Rejects if a
   * concurrent rotation came first.
   */
  rotate(when: 'published-ahead' | 'now', by: Origin): Promise<StoredSigningKey>
  /** Creates a successor if the newest key is at least this old. Of concurrent instances, one succeeds. */
  rotateIfOlder(ageMs: number): Promise<void>
  /** The key that signs now; undefined before the keys are loaded. */
  current(): SigningKey | undefined
  /**
   * The published key with this id. Undefined only if the stored keys, read after the call, have none; rejects with `unavailable`
   * if they could not be read.
   */
  find(kid: string): Promise<SigningKey | undefined>
  /** The public JWKs of every key whose tokens may still be valid, and of the successor. */
  published(): PublishedKey[]
  /** All keys in memory, oldest first. */
  list(): readonly StoredSigningKey[]
}

export interface SigningKeysParts {
  store: SigningKeyStore
  keyring: Keyring
  clock: Clock
  alg: SigningAlg
  /** The longest lifetime of a token, in seconds, for which predecessors stay published. */
  tokenTtlSeconds: number
  audit: Pick<AuditTrail, 'tell'>
  /** Runs a generation when it is its turn: on libuv's few threads it would keep whatever else is signed or verified there waiting. */
  inTurn: <T>(generation: () => Promise<T>) => Promise<T>
  /** Whose keys they are; undefined for those of the service itself. */
  issuerId?: string
}

/** Reading keys for a request: one that does not open is no error of the service, but `unavailable`, and the operator is told. */
export async function forRequest(store: Pick<SigningKeyStore, 'unreadable'>, reading: Promise<void>): Promise<void> {
  try {
    await reading
  } catch (error) {
    throw isFault(error) ? error : store.unreadable((error as Error).message)
  }
}

export function createSigningKeys(parts: SigningKeysParts): SigningKeys {
  const { store, keyring, clock, alg, tokenTtlSeconds, audit, inTurn, issuerId } = parts
  /** Oldest first. */
  let stored: StoredSigningKey[] = []
  const opened = new Map<string, SigningKey>()
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let nextLook: Promise<void> | undefined

  const isPublished = (index: number) => (stored[index + 1]?.predecessorsUntilMs ?? Number.POSITIVE_INFINITY) > clock()

  function take(keys: StoredSigningKey[]): void {
    // Where a key does not open, those that are in memory stay in use.
    for (const key of keys) if (!opened.has(key.kid)) opened.set(key.kid, openSigningKey(key, keyring))
    stored = keys.sort((a, b) => a.createdAtMs - b.createdAtMs)
    for (const kid of opened.keys()) if (!stored.some((key) => key.kid === kid)) opened.delete(kid)
  }

  async function succeed(when: 'published-ahead' | 'now', by = BY_ITSELF): Promise<StoredSigningKey> {
    const newest = stored.at(-1)
    const next = await inTurn(() => {
      // Always later than its predecessor, even if this instance's clock is slow: keys are ordered by this time.
      const createdAtMs = Math.max(clock(), (newest?.createdAtMs ?? 0) + 1)
      const signsFromMs = createdAtMs + (newest && when === 'published-ahead' ? PUBLISHED_AHEAD_MS : 0)
      const predecessorsUntilMs = signsFromMs + tokenTtlSeconds * 1000 + SLACK_MS
      return newSigningKey(alg, keyring, { createdAtMs, signsFromMs, predecessorsUntilMs })
    })
    const obsolete = stored.filter((_, index) => !isPublished(index)).map((key) => key.kid)
    take(await store.succeed(newest?.kid, next, obsolete))
    // Of instances that rotate at once one succeeds. The first key follows none.
    if (newest && stored.at(-1)?.kid === next.kid) {
      await audit.tell({ type: 'signing_key.rotated', ...by, detail: namedRotation({ kid: next.kid, issuerId }) })
    }
    return next
  }

  async function refresh(): Promise<void> {
    take(await store.list())
    if (stored.length === 0) await succeed('published-ahead')
  }

  /** One read for all who ask before it begins. One under way may lack a key that was made since it began, so nobody joins that. */
  function look(): Promise<void> {
    nextLook ??= sleep(Math.max(0, lookedAtMs + LOOK_EVERY_MS - performance.now())).then(() => {
      lookedAtMs = performance.now()
      nextLook = undefined
      return forRequest(store, refresh())
    })
    return nextLook
  }

  return {
    async load() {
      await refresh()
      if (stored.at(-1)?.alg !== alg) await succeed('published-ahead')
    },

    refresh,

    async rotate(when, by) {
      take(await store.list())
      const made = await succeed(when, by)
      if (stored.at(-1)?.kid !== made.kid)
        throw new Error('another rotation came first; nothing was changed by this one')
      return made
    },

    async rotateIfOlder(ageMs) {
      const newest = stored.at(-1)
      if (newest && clock() - newest.createdAtMs >= ageMs) await succeed('published-ahead')
    },

    current() {
      const signing = stored.findLast((key) => key.signsFromMs <= clock()) ?? stored[0]
      return signing && opened.get(signing.kid)
    },

    async find(kid) {
      const place = () => stored.findIndex((key) => key.kid === kid)
      if (place() < 0) await look()
      const index = place()
      return index >= 0 && isPublished(index) ? opened.get(kid) : undefined
    },

    published: () => stored.filter((_, index) => isPublished(index)).map(publishedKey),

    list: () => stored
  }
}
