/**
 * Records what a soak has done and which keys Redis must therefore hold. Also records answers that were not the
 * expected ones. Where a fault kept an answer back, what it was about may be there or not.
 */
import { RETENTION_MS, TTL_SLACK_MS } from '../../src/core/grants/state-machine.js'
import type { Answered } from '../faults/transport.js'

/** GRANT_TTL_SECONDS and POLL_INTERVAL_SECONDS of the instances: the shortest values the configuration allows. */
export const GRANT_TTL_SECONDS = 10
export const POLL_INTERVAL_SECONDS = 1

/** How often something came that was not due, and when for the first and the last time, by `performance.now()`. */
export interface Surprise {
  count: number
  fromMs: number
  toMs: number
}

export function addTo(all: Record<string, Surprise>, name: string, atMs: number): void {
  const { count, fromMs, toMs } = all[name] ?? { count: 0, fromMs: atMs, toMs: atMs }
  all[name] = { count: count + 1, fromMs: Math.min(fromMs, atMs), toMs: Math.max(toMs, atMs) }
}

export interface Ledger {
  /** Counts a request. */
  asks(): void
  /** Notes the answer as a surprise unless it was due. Returns `isDue`. */
  expects(what: string, answer: Answered, isDue: boolean): boolean
  /** Notes that a grant was started at some time between these two. */
  started(sentAt: number, answeredAt: number): void
  /** Notes that a grant may have been started whose answer was lost. */
  mayHaveStarted(): void
  /** Whose an authorization is, for whoever has its id alone, is noted if that can be done: a fault, `hindered`, may have kept it back. */
  collected(authorization: { hasRefreshToken: boolean; hindered: boolean }): void
  /** Notes that a grant may have been approved that was not collected. */
  mayBeAuthorized(): void
  requests(): number
  /** The answers that were not due, by what they were. */
  surprises(): Record<string, Surprise>
  /** The number of keys of each kind that must be in Redis at some time between `from` and `to`, as bounds. */
  explained(from: number, to: number): Record<string, { atLeast: number; atMost: number }>
}

/** The key of a grant and the key of its user code live this long, whatever the answer to the grant is. */
const GRANT_KEPT_MS = GRANT_TTL_SECONDS * 1_000 + RETENTION_MS + TTL_SLACK_MS

const MOST_STARTS = 1_000_000

export function createLedger(): Ledger {
  const starts: { sentAt: number; answeredAt: number }[] = []
  const surprises: Record<string, Surprise> = {}
  let requests = 0
  let collections = 0
  let families = 0
  let unsure = 0
  let hinderedCollections = 0
  const orMore = (count: number, more = unsure) => ({ atLeast: count, atMost: count + more })

  function note(sentAt: number, answeredAt: number): void {
    // A soak of hours starts millions, and those whose keys are gone explain nothing any more.
    if (starts.length >= MOST_STARTS) {
      const kept = starts.filter((one) => one.answeredAt + GRANT_KEPT_MS >= sentAt)
      starts.splice(0, starts.length, ...kept)
    }
    starts.push({ sentAt, answeredAt })
  }

  return {
    asks() {
      requests += 1
    },
    expects(what, { status, body }, isDue) {
      if (isDue) return true
      const told = typeof body === 'object' ? (body?.error ?? body?.status) : ''
      const name = `${what}: ${status} ${told}`
      addTo(surprises, name, performance.now())
      return false
    },
    started: note,
    mayHaveStarted: () => note(Number.NEGATIVE_INFINITY, Date.now()),
    mayBeAuthorized: () => void unsure++,
    collected({ hasRefreshToken, hindered }) {
      collections += 1
      if (hasRefreshToken) families += 1
      if (hindered) hinderedCollections += 1
    },
    requests: () => requests,
    surprises: () => surprises,
    explained(from, to) {
      const grants = {
        atLeast: starts.filter(({ sentAt }) => sentAt + GRANT_KEPT_MS > to).length,
        atMost: starts.filter(({ answeredAt }) => answeredAt + GRANT_KEPT_MS >= from).length
      }
      return {
        grant: grants,
        'user-code': grants,
        'authorized-client': orMore(collections),
        'authorized-client of a user': orMore(collections),
        'authorized-client-parent': orMore(collections - hinderedCollections, hinderedCollections + unsure),
        'refresh-family': orMore(families),
        'signing-keys': orMore(1, 0),
        events: orMore(1, 0),
        evidence: orMore(1, 0),
        marker: orMore(2, 0),
        // The key of revocations that are under way is there only while one is.
        revocation: orMore(4, 1)
      }
    }
  }
}
