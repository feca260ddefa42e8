/** What a storm looked like from the clients. */
import { percentile } from '../support/report.js'
import type { Poll } from './fleet.js'

export interface Outage {
  awayAt: number
  backAt: number
  /** How long after the return polls are counted. */
  watchedMs: number
}

export interface Figures {
  /** How often each answer was given to a poll that was sent while Redis was away, and in the time after. */
  away: Record<string, number>
  after: Record<string, number>
  /** From the return of Redis until a client was told something else than 503. */
  servedMs: { half: number; last: number; never: number }
  /** How long polls took that were sent before Redis went, and in the time after its return. */
  p99BeforeMs: number
  afterMs: { p50: number; p99: number; longest: number }
  /** The most polls that were sent in a tenth of a second after the return, and how many it would be if they were spread evenly. */
  busiest: number
  even: number
}

const GOOD = ['authorization_pending', 'approved']
const SLOT_MS = 100

export function figuresOf(polls: readonly Poll[], clients: number, { awayAt, backAt, watchedMs }: Outage): Figures {
  const between = (from: number, to: number) => polls.filter(({ sentAt }) => sentAt >= from && sentAt < to)
  const after = between(backAt, backAt + watchedMs)
  const served = new Map<number, number>()
  for (const { client, answeredAt, said } of polls) {
    if (answeredAt < backAt || !GOOD.includes(said)) continue
    served.set(client, Math.min(served.get(client) ?? Number.POSITIVE_INFINITY, answeredAt - backAt))
  }
  const slots = new Map<number, number>()
  for (const { sentAt } of after) {
    const slot = Math.floor((sentAt - backAt) / SLOT_MS)
    slots.set(slot, (slots.get(slot) ?? 0) + 1)
  }
  const times = [...served.values()]
  const took = after.map(tookMs)
  return {
    away: countsOf(between(awayAt, backAt)),
    after: countsOf(after),
    servedMs: { half: percentile(times, 0.5), last: percentile(times, 1), never: clients - served.size },
    p99BeforeMs: percentile(between(0, awayAt).map(tookMs), 0.99),
    afterMs: { p50: percentile(took, 0.5), p99: percentile(took, 0.99), longest: percentile(took, 1) },
    busiest: Math.max(0, ...slots.values()),
    even: (after.length / watchedMs) * SLOT_MS
  }
}

const tookMs = ({ sentAt, answeredAt }: Poll) => answeredAt - sentAt

function countsOf(polls: readonly Poll[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { said } of polls) counts[said] = (counts[said] ?? 0) + 1
  return counts
}
