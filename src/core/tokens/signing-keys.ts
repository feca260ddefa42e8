/**
 * The signing keys all instances share: made on first start, published, rotated. Each instance holds them in memory and
 * looks again once a minute, or when it meets a kid it does not know.
 * One key is one key pair with one algorithm; which of them signs follows from their times alone.
 */
import type { JsonWebKey } from 'node:crypto'
import type { Clock } from '../clock.js'
import type { Keyring } from '../secrets/keyring.js'
import {
  newSigningKey,
  openSigningKey,
  type SigningAlg,
  type SigningKey,
  type StoredSigningKey
} from './signing-key.js'
import type { SigningKeyStore } from './signing-key-store.js'

/** How long verifiers may cache the published set. */
export const JWKS_MAX_AGE_SECONDS = 300
/** A new key is published this long before it signs: cached sets are renewed by then, and every instance has looked. */
const PUBLISHED_AHEAD_MS = (JWKS_MAX_AGE_SECONDS + 60) * 1000
/** Verifiers' clocks may be late: a predecessor stays published this much longer than its last token. */
const SLACK_MS = 60_000
/** Unknown kids cost at most one look into the store in this time. */
const RELOAD_COOLDOWN_MS = 5_000

export interface PublishedKey extends JsonWebKey {
  kid: string
  use: 'sig'
  alg: SigningAlg
}

export interface SigningKeys {
  /**
   * Loads the keys at start, and makes one where there is none. A configured algorithm that the newest key does not have
   * gets a successor here and only here: instances that differ in it for a while must not outbid each other.
   */
  load(): Promise<void>
  /** Looks again, once a minute. */
  refresh(): Promise<void>
  /** Makes a successor to the newest key. It signs after verifiers had time to learn of it, or `now`. */
  rotate(when: 'published-ahead' | 'now'): Promise<StoredSigningKey>
  /** The same for a newest key that is as old as this. Of several instances that see it one makes the successor. */
  rotateIfOlder(ageMs: number): Promise<void>
  /** The key that signs at this moment; undefined before the keys are loaded. */
  current(): SigningKey | undefined
  /** The key with this id, if it is among the published ones; looks into the store for one it does not know. */
  find(kid: string): Promise<SigningKey | undefined>
  /** The public halves of every key whose tokens can still be valid, and of the next one. */
  published(): PublishedKey[]
  list(): readonly StoredSigningKey[]
}

export interface SigningKeysParts {
  store: SigningKeyStore
  keyring: Keyring
  clock: Clock
  alg: SigningAlg
  /** The longest life of a token, in seconds: so long a predecessor stays published. */
  tokenTtlSeconds: number
}

export function createSigningKeys({ store, keyring, clock, alg, tokenTtlSeconds }: SigningKeysParts): SigningKeys {
  /** Oldest first. */
  let stored: StoredSigningKey[] = []
  const opened = new Map<string, SigningKey>()
  let reloadedAtMs = Number.NEGATIVE_INFINITY

  const successorOf = (index: number) => stored[index + 1]
  const isPublished = (index: number) => (successorOf(index)?.predecessorsUntilMs ?? Number.POSITIVE_INFINITY) > clock()

  function take(keys: StoredSigningKey[]): void {
    stored = keys.sort((a, b) => a.createdAtMs - b.createdAtMs)
    for (const kid of opened.keys()) if (!stored.some((key) => key.kid === kid)) opened.delete(kid)
    for (const key of stored) if (!opened.has(key.kid)) opened.set(key.kid, openSigningKey(key, keyring))
  }

  async function succeed(when: 'published-ahead' | 'now'): Promise<StoredSigningKey> {
    const newest = stored.at(-1)
    // Never before its predecessor, whatever this instance's clock says: the order of keys is the order of their making.
    const createdAtMs = Math.max(clock(), (newest?.createdAtMs ?? 0) + 1)
    const signsFromMs = createdAtMs + (newest && when === 'published-ahead' ? PUBLISHED_AHEAD_MS : 0)
    const predecessorsUntilMs = signsFromMs + tokenTtlSeconds * 1000 + SLACK_MS
    const next = await newSigningKey(alg, keyring, { createdAtMs, signsFromMs, predecessorsUntilMs })
    const obsolete = stored.filter((_, index) => !isPublished(index)).map((key) => key.kid)
    take(await store.succeed(newest?.kid, next, obsolete))
    return next
  }

  async function refresh(): Promise<void> {
    reloadedAtMs = clock()
    take(await store.list())
    if (stored.length === 0) await succeed('published-ahead')
  }

  return {
    async load() {
      await refresh()
      if (stored.at(-1)?.alg !== alg) await succeed('published-ahead')
    },

    refresh,

    async rotate(when) {
      take(await store.list())
      const made = await succeed(when)
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
      if (!opened.has(kid) && clock() - reloadedAtMs >= RELOAD_COOLDOWN_MS) await refresh()
      const index = stored.findIndex((key) => key.kid === kid)
      return index >= 0 && isPublished(index) ? opened.get(kid) : undefined
    },

    published() {
      return stored
        .filter((_, index) => isPublished(index))
        .map(({ kid, alg, publicJwk }) => ({ ...publicJwk, kid, use: 'sig', alg }))
    },

    list: () => stored
  }
}
