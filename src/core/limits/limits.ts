/**
 * The interface of the counters, and the limit on guessing: of user codes (RFC 8628 §5.1) a number of misses per user and, a
 * multiple of it, per address within 15 minutes, of secrets one per client and address. A success does not reset it.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { Fields, WantedRecord } from '../records/record-store.js'

export const GUESS_WINDOW_MS = 15 * 60_000
/** Caps what is remembered of wrong secrets. Who is forgotten may be wrong once more before it counts. */
const MOST_SUSPECTS = 10_000

export interface Hit {
  /** The hits of the window, this one included. */
  count: number
  resetsInMs: number
}

/** A fixed window, which opens with its first hit. */
export interface HitWindow {
  key: string
  lengthMs: number
}

/** In the order of what was wanted: undefined for a record that does not exist, and for a hit that was not counted. */
export interface FoundRecords {
  records: (Fields | undefined)[]
  hit: Hit | undefined
}

/** An attempt that is taken, and when it was. */
export interface Attempt {
  id: string
  atMs: number
}

/** The storage of the limits. Every method is atomic and rejects with `unavailable` when the storage cannot answer. */
export interface LimitStore {
  /** Counts one hit in a fixed window that opens with the first hit. Not idempotent: a retried call counts twice. */
  hit(key: string, windowMs: number): Promise<Hit>

  /**
   * Reads records and, with a window, counts a hit as `hit` does. It is one command, or in a Redis Cluster one for each slot, all
   * sent together; then it is not atomic. An engine may leave out fields that API_KEY_FIELDS and JSON_RECORD_FIELDS do not name.
   */
  readAndHit(wanted: readonly WantedRecord[], window: HitWindow | undefined): Promise<FoundRecords>

  /**
   * Takes one of `limit` attempts; it comes free when it is given back, or `windowMs` after it was taken. Idempotent for the
   * same `attemptId`. Resolves to undefined if the attempt was taken, otherwise to the time until one comes free.
   */
  take(key: string, attemptId: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /** Resolves as `take` would, and takes nothing. */
  look(key: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /**
   * Attempts that were taken within `windowMs` and not given back, those that were taken first: so many after one of them, which may
   * be gone by now. `count` is how many there are.
   */
  taken(
    key: string,
    windowMs: number,
    options: { after?: Attempt | undefined; most: number }
  ): Promise<{ attempts: Attempt[]; count: number }>

  /** Frees an attempt before its window ends. Idempotent. */
  giveBack(key: string, attemptId: string): Promise<void>
}

/** Whether an attempt comes after another one: those of one millisecond are in the order of their ids. */
export function comesAfter(a: Attempt, b: Attempt): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.id > b.id)
}

/** The name of a counter. Its parts are percent-encoded, so that untrusted parts cannot contain the separator. */
export function limitKey(...parts: string[]): string {
  return parts.map(encodeURIComponent).join(':')
}

/** One counter of misses (of a user or of an address), and how many it allows. */
export interface Guesser {
  key: string
  limit: number
}

export interface Guesses {
  /**
   * Runs a lookup, which changes nothing, and whose outcome `unknown` counts as a miss. After too many misses it calls `refused`
   * and rejects with `too_many_requests`, which carries the seconds until an attempt comes free.
   */
  limit<T extends { kind: string }>(
    guessers: readonly Guesser[],
    lookup: () => Promise<T>,
    refused: () => Promise<void>
  ): Promise<T>
  /**
   * Checks a secret, at once unless a wrong one came for this counter to this instance in the last 15 minutes. Rejects with
   * `too_many_requests` after too many wrong ones, right or wrong. The counter is that of all instances; one that saw no wrong secret
   * goes by the secret alone.
   */
  secret<T>(guesser: Guesser, check: () => T | undefined, refused: () => Promise<void>): Checked<T>
}

export type Checked<T> = T | undefined | Promise<T | undefined>

/**
 * The counters are asked before the lookup, so that nothing is looked up once they are full, and again before its outcome is told:
 * of guesses that come at once no more are answered than one after the other would be, and right ones never take an attempt.
 */
export function createGuesses(store: LimitStore, clock: Clock): Guesses {
  /** Until when the secrets of a counter are counted, by its key. */
  const suspects = createBoundedCache<number>(MOST_SUSPECTS)

  const guesses: Guesses = {
    async limit(guessers, lookup, refused) {
      const attemptId = randomUUID()
      const ask = async (how: 'look' | 'take') => {
        const waits = await Promise.all(
          guessers.map(({ key, limit }) =>
            how === 'look'
              ? store.look(key, limit, GUESS_WINDOW_MS)
              : store.take(key, attemptId, limit, GUESS_WINDOW_MS)
          )
        )
        const longestMs = Math.max(...waits.map((wait) => wait?.freeInMs ?? 0))
        if (longestMs === 0) return
        // A refused attempt is told nothing, so it does not count against the other users behind the same address.
        if (how === 'take') await Promise.all(guessers.map(({ key }) => store.giveBack(key, attemptId)))
        await refused()
        throw fault('too_many_requests', { retryAfterSeconds: Math.ceil(longestMs / 1000), detail: 'wrong guesses' })
      }
      await ask('look')
      const outcome = await lookup()
      await ask(outcome.kind === 'unknown' ? 'take' : 'look')
      return outcome
    },

    secret(guesser, check, refused) {
      const found = check()
      const isSuspect = (suspects.get(guesser.key) ?? 0) > clock()
      if (found !== undefined && !isSuspect) return found
      if (found === undefined) suspects.set(guesser.key, clock() + GUESS_WINDOW_MS)
      const lookup = async () => ({ kind: found === undefined ? 'unknown' : 'known', found })
      return guesses.limit([guesser], lookup, refused).then((looked) => looked.found)
    }
  }
  return guesses
}
