/**
 * The limit on guessing user codes (RFC 8628 §5.1): so many misses per user and per address, a success resets nothing.
 * An attempt is taken before the lookup and given back when it was no miss: parallel guesses cannot outrun the count.
 */
import { randomUUID } from 'node:crypto'
import { fault } from '../fault.js'
import type { LimitStore } from './limit-store.js'

export const GUESS_WINDOW_MS = 15 * 60_000

/** Whose misses are counted, and how many each may have. */
export interface Guesser {
  key: string
  limit: number
}

export interface Guesses {
  /**
   * Runs a lookup whose outcome `unknown` is a miss. When there were too many it tells `refused` and throws
   * `too_many_requests` without looking.
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
        // What was refused was no guess: it must not keep a neighbour behind the same address waiting.
        await giveBack()
        refused()
        throw fault('too_many_requests', { retryAfterSeconds: Math.ceil(longestMs / 1000), detail: 'user code misses' })
      }
      const outcome = await lookup()
      if (outcome.kind !== 'unknown') await giveBack()
      return outcome
    }
  }
}
