/** A failover storm at one instance, second by second: everybody who waits there comes back at the same moment. */
import { REFUSAL_SHARE, SERVICE_SHARE, type Setting } from './assumptions.js'
import type { Costs } from './costs.js'

export interface StormCourse {
  clients: number
  /** Polls a second while Redis is away, as a part of what it is otherwise. */
  away: number
  /** The most polls of one second, and how many of all there were refused. */
  most: number
  refused: number
  /** After so many seconds each of them was answered. */
  seconds: number
}

const MICROS = 1_000_000
const LONGEST_SECONDS = 600
/** Whoever is under way is answered, however many are refused beside (plugins/overload.ts). */
const LET_IN = 2_000

/** `from` to `to` are the seconds of Retry-After, all equally frequent. */
export function stormOf(costs: Costs, { intervalSeconds }: Setting, from: number, to: number): StormCourse {
  const capacity = MICROS / costs.poll.service
  const clients = Math.floor(capacity * SERVICE_SHARE * intervalSeconds)
  const coming = new Float64Array(LONGEST_SECONDS + to + 1)
  coming[0] = clients
  let [left, most, refused, seconds] = [clients, 0, 0, 0]
  for (; left >= 1 && seconds < LONGEST_SECONDS; seconds++) {
    // Those who were served come again at their interval, as ever.
    const ofServed = (clients - left) / intervalSeconds
    const here = coming[seconds] ?? 0
    const all = here + ofServed
    most = Math.max(most, all)
    const room = (capacity - all * REFUSAL_SHARE) / (1 - REFUSAL_SHARE)
    const served = Math.min(all, Math.max(LET_IN, room))
    const again = all === 0 ? 0 : here * (1 - served / all)
    refused += all - served
    left -= here - again
    for (let after = from; after <= to; after++) {
      coming[seconds + after] = (coming[seconds + after] ?? 0) + again / (to - from + 1)
    }
  }
  return { clients, away: intervalSeconds / ((from + to) / 2), most, refused, seconds }
}
