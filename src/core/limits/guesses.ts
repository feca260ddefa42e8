/**
 * The limit on guessing: of user codes (RFC 8628 §5.1) a number of misses per user and, a multiple of it, per address within 15
 * minutes, of secrets one per client and address. A success does not reset it.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { LimitStore } from './limits.js'

export const GUESS_WINDOW_MS = 15 * 60_000
/** Caps what is remembered of wrong secrets. Who is forgotten may be wrong once more before it counts. */
const MOST_SUSPECTS = 10_000

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
