/**
 * Computes what clients saw of a fault: how long nothing worked, which errors they got, and how slow the answers were.
 */
import { percentile } from '../support/report.js'
import type { Entry, Kind } from './history.js'

export interface Figures {
  requests: number
  /** The longest time in which no client had a success of one kind of request, and that kind. */
  interruption: { seconds: number; kind: Kind }
  /** The same measured before the fault: how long such gaps are by chance under this load. */
  healthyInterruption: { seconds: number; kind: Kind }
  /**
   * The longest time from the first try of an operation to its success, for one client, including the Retry-After
   * pauses.
   */
  longestOperation: { seconds: number; kind: Kind }
  /** The number of requests after Redis was whole again, and how often at most a single operation was refused. */
  sinceWhole: { requests: number; mostRefusals: { times: number; kind: Kind } }
  /** Counts of failed requests by HTTP status; status 0 is a connection that ended. */
  errors: Record<string, number>
  p99Ms: { before: number; during: number }
  /** The longest duration of one request. Held polls are left out, because they are meant to wait. */
  longestRequest: { ms: number; kind: Kind }
  /** Requests that took longer than a request may wait for Redis; `sentAfterMs` counts from the strike. */
  tooLong: { kind: Kind; status: number; ms: number; sentAfterMs: number }[]
}

/** All times are on the clock of the history. */
export interface Times {
  startedAt: number
  struckAt: number
  healedAt: number
  /** When Redis became whole for good. */
  wholeAt: number
  endedAt: number
}

const NONE = { seconds: 0, kind: 'start' as Kind }
const WARM_UP_MS = 1_000

/** Computes all figures of a run. `longestWaitMs` is the REDIS_TIMEOUT_MS of the instances. */
export function figuresOf(history: readonly Entry[], times: Times, longestWaitMs: number): Figures {
  const { startedAt, struckAt, healedAt, wholeAt, endedAt } = times
  const within = (from: number, to: number) => history.filter(({ sentAt }) => sentAt >= from && sentAt < to)
  const before = within(startedAt + WARM_UP_MS, struckAt)
  const errors: Record<string, number> = {}
  for (const { status, outcome } of history) {
    if (outcome === 'unavailable' || outcome === 'unexpected') errors[status] = (errors[status] ?? 0) + 1
  }
  const asked = history.filter(({ kind }) => kind !== 'wait')
  const slowest = asked.reduce((a, b) => (b.answeredAt - b.sentAt > a.answeredAt - a.sentAt ? b : a))
  return {
    requests: history.length,
    interruption: longestGap(history, struckAt, endedAt),
    healthyInterruption: longestGap(
      history.filter(({ answeredAt }) => answeredAt < struckAt),
      startedAt,
      struckAt
    ),
    longestOperation: longestOperation(history),
    sinceWhole: sinceWhole(history.filter(({ sentAt }) => sentAt > wholeAt)),
    errors,
    p99Ms: { before: p99(before), during: p99(within(struckAt, healedAt)) },
    tooLong: asked
      .filter(({ sentAt, answeredAt }) => answeredAt - sentAt > longestWaitMs)
      .map(({ kind, status, sentAt, answeredAt }) => ({
        kind,
        status,
        ms: Math.round(answeredAt - sentAt),
        sentAfterMs: Math.round(sentAt - struckAt)
      })),
    longestRequest: { ms: slowest.answeredAt - slowest.sentAt, kind: slowest.kind }
  }
}

const isSuccess = ({ outcome }: Entry) => outcome !== 'unavailable' && outcome !== 'unexpected'

/**
 * Returns the longest time between two successes of one kind, if a part of it lies between `from` and `to`. A client
 * that waits sees only its answers, so this gap is the outage as clients see it. Held polls are left out, because the
 * time of their answer is the time of a decision.
 */
function longestGap(history: readonly Entry[], from: number, to: number) {
  let longest = NONE
  for (const kind of new Set(history.map(({ kind }) => kind))) {
    if (kind === 'wait') continue
    const answers = history.filter((entry) => entry.kind === kind && isSuccess(entry))
    const times = answers.map(({ answeredAt }) => answeredAt).sort((a, b) => a - b)
    for (const [i, time] of times.entries()) {
      const next = times[i + 1] ?? to
      const seconds = (next - time) / 1_000
      if (next > from && time < to && seconds > longest.seconds) longest = { seconds, kind }
    }
  }
  return longest
}

function longestOperation(history: readonly Entry[]) {
  const firstSent = new Map<number, number>()
  let longest = NONE
  for (const entry of [...history].sort((a, b) => a.sentAt - b.sentAt)) {
    const { operation, kind, sentAt, answeredAt } = entry
    if (kind === 'wait') continue
    if (!firstSent.has(operation)) firstSent.set(operation, sentAt)
    const seconds = (answeredAt - (firstSent.get(operation) ?? sentAt)) / 1_000
    if (isSuccess(entry) && seconds > longest.seconds) longest = { seconds, kind }
  }
  return longest
}

/**
 * Counts refusals and not seconds, because seconds depend on the speed of the machine. An operation that is repeated
 * after the repair should not be refused again.
 */
function sinceWhole(history: readonly Entry[]) {
  const refusals = new Map<number, number>()
  let mostRefusals = { times: 0, kind: NONE.kind }
  for (const { operation, kind } of history.filter((entry) => !isSuccess(entry))) {
    const times = (refusals.get(operation) ?? 0) + 1
    refusals.set(operation, times)
    if (times > mostRefusals.times) mostRefusals = { times, kind }
  }
  return { requests: history.length, mostRefusals }
}

function p99(entries: readonly Entry[]): number {
  const times = entries.filter(({ kind }) => kind !== 'wait').map(({ sentAt, answeredAt }) => answeredAt - sentAt)
  return percentile(times, 0.99)
}
