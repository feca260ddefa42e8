/**
 * Turns for work that many want at once: a part of the event loop for all of them, and the same part for each party. Long
 * lists take turns, and so does the generation of keys.
 */
import { fault } from '../fault.js'

/** As long as a batch costs, so that many lists leave at least half of the loop to everybody else. */
const REST_MS = 1

/** The caps on those that wait for their turn. Each of them is a request, so that this bounds their memory and how long they wait. */
export interface MostWaiting {
  inAll: number
  ofOne: number
  /** How many a party may still have waiting when the cap of all is reached. */
  always: number
  /** What the log is told when one of them is reached. */
  reached: string
}

/** When the cap of all lists is reached, a party has room for a page, and for what is asked for beside it. */
const LISTS: MostWaiting = { inAll: 1_000, ofOne: 250, always: 10, reached: 'too many lists are read already' }
/** An RSA key takes a core for a tenth of a second or more. What the service or a rotation wants has a place in any case. */
export const KEYS: MostWaiting = { inAll: 100, ofOne: 20, always: 1, reached: 'too many keys are generated already' }

/**
 * Runs a piece of work of a party (a user, or whose an API key is) when it is its turn. Rejects with `overloaded` if too many wait
 * already, of this party or of all.
 */
export type Turns = <T>(party: string, work: () => Promise<T>) => Promise<T>

/**
 * Makes turns for up to `most` pieces of work at a time, `mostOfOne` of them of one party. The parties that wait come one after the
 * other, however much each of them wants, and what one party wants is first come, first served. The next piece begins in a later
 * turn of the event loop, after a rest if somebody waits.
 */
export function createTurns(most: number, mostOfOne = most, waits = LISTS): Turns {
  /** What waits, by its party: who is first here is the next one. */
  const waiting = new Map<string, (() => void)[]>()
  const taken = new Map<string, number>()
  let takenInAll = 0
  let waitingInAll = 0

  const takenOf = (party: string) => taken.get(party) ?? 0

  function take(party: string): void {
    takenInAll += 1
    taken.set(party, takenOf(party) + 1)
  }

  function leave(party: string): void {
    takenInAll -= 1
    if (takenOf(party) > 1) taken.set(party, takenOf(party) - 1)
    else taken.delete(party)
    for (const [next, queue] of waiting) {
      if (takenOf(next) >= mostOfOne) continue
      const begin = queue.shift()
      waitingInAll -= 1
      // Whoever has more to do comes last again.
      waiting.delete(next)
      if (queue.length > 0) waiting.set(next, queue)
      take(next)
      begin?.()
      return
    }
  }

  function wait(party: string): Promise<void> {
    const queue = waiting.get(party) ?? []
    if (queue.length >= (waitingInAll < waits.inAll ? waits.ofOne : waits.always)) {
      throw fault('overloaded', { detail: waits.reached })
    }
    waitingInAll += 1
    waiting.set(party, queue)
    return new Promise((resolve) => queue.push(resolve))
  }

  return async (party, work) => {
    if (takenInAll < most && takenOf(party) < mostOfOne) take(party)
    else await wait(party)
    try {
      return await work()
    } finally {
      if (waitingInAll > 0) setTimeout(leave, REST_MS, party)
      else setImmediate(leave, party)
    }
  }
}
