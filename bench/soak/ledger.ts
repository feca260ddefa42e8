/** What a soak has done, as far as Redis must still know of it; and which answers were not those that were due. */
import { RETENTION_MS, TTL_SLACK_MS } from '../../src/core/grants/rules.js'
import type { Answered } from '../faults/transport.js'

/** GRANT_TTL_SECONDS and POLL_INTERVAL_SECONDS of the instances: the shortest there are. */
export const GRANT_TTL_SECONDS = 10
export const POLL_INTERVAL_SECONDS = 1

export interface Ledger {
  /** A request is sent. */
  asks(): void
  /** Notes an answer that was due, or one that was not; answers with which it is. */
  expects(what: string, answer: Answered, isDue: boolean): boolean
  /** A grant was started between these times. */
  started(sentAt: number, answeredAt: number): void
  collected(withRefreshToken: boolean): void
  requests(): number
  /** What was not due, and how often. */
  surprises(): Record<string, number>
  /** How many keys of each kind there must be for somebody who counts between these times, at least and at most. */
  explained(from: number, to: number): Record<string, { atLeast: number; atMost: number }>
}

/** A key of a grant and the one of its user code live so long, whatever becomes of them. */
const GRANT_KEPT_MS = GRANT_TTL_SECONDS * 1_000 + RETENTION_MS + TTL_SLACK_MS

export function createLedger(): Ledger {
  const starts: { sentAt: number; answeredAt: number }[] = []
  const surprises: Record<string, number> = {}
  let requests = 0
  let collections = 0
  let families = 0
  const exactly = (count: number) => ({ atLeast: count, atMost: count })

  return {
    asks() {
      requests += 1
    },
    expects(what, { status, body }, isDue) {
      if (isDue) return true
      const told = typeof body === 'object' ? (body?.error ?? body?.status) : ''
      const name = `${what}: ${status} ${told}`
      surprises[name] = (surprises[name] ?? 0) + 1
      return false
    },
    started: (sentAt, answeredAt) => void starts.push({ sentAt, answeredAt }),
    collected(withRefreshToken) {
      collections += 1
      if (withRefreshToken) families += 1
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
        'authorized-client': exactly(collections),
        'authorized-client of a user': exactly(collections),
        'refresh-family': exactly(families),
        'signing-keys': exactly(1)
      }
    }
  }
}
