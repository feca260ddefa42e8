/**
 * The limit on guessing: of user codes (RFC 8628 §5.1) a number of misses per user and, a multiple of it, per address within 15
 * minutes, of secrets one per client and address. A success does not reset it. An attempt is taken before the lookup and given back when the lookup was no miss, so that parallel
 * guesses cannot outrun the counter.
 */
import { randomUUID } from 'node:crypto'
import { fault } from '../fault.js'
import type { LimitStore } from './limit-store.js'

export const GUESS_WINDOW_MS = 15 * 60_000

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
