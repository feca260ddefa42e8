/**
 * The interface of the counters, and the limit on guessing: of user codes (RFC 8628 §5.1) a number of misses per user and, a
 * multiple of it, per address within 15 minutes, of secrets one per client and address. A success does not reset it.
 */
import { randomUUID } from 'node:crypto'
import { fault } from '../fault.js'

export const GUESS_WINDOW_MS = 15 * 60_000

/** The storage of the limits. Every method is atomic and rejects with `unavailable` when the storage cannot answer. */
export interface LimitStore {
  /** Counts one hit in a fixed window that opens with the first hit. Not idempotent: a retried call counts twice. */
  hit(key: string, windowMs: number): Promise<{ count: number; resetsInMs: number }>

  /**
   * Takes one of `limit` attempts; it comes free when it is given back, or `windowMs` after it was taken. Idempotent for the
   * same `attemptId`. Resolves to undefined if the attempt was taken, otherwise to the time until one comes free.
   */
  take(key: string, attemptId: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /** Frees an attempt before its window ends. Idempotent. */
  giveBack(key: string, attemptId: string): Promise<void>
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
   * Runs a lookup whose outcome `unknown` counts as a miss. After too many misses it calls `refused` instead of the lookup and
   * rejects with `too_many_requests`, which carries the seconds until an attempt comes free.
   */
  limit<T extends { kind: string }>(
    guessers: readonly Guesser[],
    lookup: () => Promise<T>,
    refused: () => void
  ): Promise<T>
}

/**
 * An attempt is taken before the lookup and given back when the lookup was no miss, so that parallel guesses cannot outrun the
 * counter.
 */
export function createGuesses(store: LimitStore): Guesses {
  return {
    async limit(guessers, lookup, refused) {
      const attemptId = randomUUID()
      const giveBack = () => Promise.all(guessers.map(({ key }) => store.giveBack(key, attemptId)))
      const waits = await Promise.all(
        guessers.map(({ key, limit }) => store.take(key, attemptId, limit, GUESS_WINDOW_MS))
      )
      const longestMs = Math.max(...waits.map((wait) => wait?.freeInMs ?? 0))
      if (longestMs > 0) {
        // A refused attempt looked nothing up, so it does not count against the other users behind the same address.
        await giveBack()
        refused()
        throw fault('too_many_requests', { retryAfterSeconds: Math.ceil(longestMs / 1000), detail: 'wrong guesses' })
      }
      const outcome = await lookup()
      if (outcome.kind !== 'unknown') await giveBack()
      return outcome
    }
  }
}
