/**
 * The rules of a grant (RFC 8628 §3.5) as plain functions of a state and a time.
 * The memory store runs them as they stand. The Redis scripts say the same in Lua with these same limits, and one contract
 * suite holds both to it.
 */

/** Every refused poll makes the grant's interval this much longer, for good (RFC 8628 §3.5). */
export const SLOW_DOWN_STEP_MS = 5_000
export const LONGEST_INTERVAL_MS = 60_000
/** A poll may come early by the interval divided by this, but by no less than `SHORTEST_GRACE_MS`. */
export const GRACE_DIVISOR = 10
export const SHORTEST_GRACE_MS = 500
/** How long after its expiry a grant still says what became of it. */
export const RETENTION_MS = 300_000
/** How long after its first collection a grant can be collected again, so that a lost answer does not burn the approval. */
export const COLLECT_AGAIN_MS = 30_000
/** Redis collects garbage this much later than the rules forget, so that they have the last word. */
export const TTL_SLACK_MS = 60_000

export interface GrantState {
  phase: 'pending' | 'approved' | 'denied' | 'collected'
  expiresAtMs: number
  intervalMs: number
  /** Time of the last poll, accepted or refused; 0 before the first. */
  polledAtMs: number
  collectedAtMs: number
}

/** Clocks run fast and networks jitter: a poll may come a tenth of the interval early, and at least half a second. */
export function graceMs(intervalMs: number): number {
  return Math.max(SHORTEST_GRACE_MS, intervalMs / GRACE_DIVISOR)
}

export type PollVerdict = 'pending' | 'slow_down' | 'approved' | 'denied' | 'expired' | 'spent' | 'unknown'

/** Judges a poll and brings the state up to date. A decision beats the expiry and the pace. */
export function judgePoll(grant: GrantState, nowMs: number): PollVerdict {
  if (grant.phase === 'collected') return nowMs <= grant.collectedAtMs + COLLECT_AGAIN_MS ? 'approved' : 'spent'
  if (isForgotten(grant, nowMs)) return 'unknown'
  if (grant.phase !== 'pending') return grant.phase
  if (nowMs >= grant.expiresAtMs) return 'expired'
  const early = nowMs < grant.polledAtMs + grant.intervalMs - graceMs(grant.intervalMs)
  if (early) grant.intervalMs = Math.min(grant.intervalMs + SLOW_DOWN_STEP_MS, LONGEST_INTERVAL_MS)
  grant.polledAtMs = nowMs
  return early ? 'slow_down' : 'pending'
}

/** Whether a decision may still be taken, has been taken, or comes too late to be heard of. */
export function judgeDecision(grant: GrantState, nowMs: number): 'open' | 'resolved' | 'unknown' {
  if (isForgotten(grant, nowMs)) return 'unknown'
  return grant.phase === 'pending' && nowMs < grant.expiresAtMs ? 'open' : 'resolved'
}

/** Judges a collection and brings the state up to date. */
export function judgeCollection(grant: GrantState, nowMs: number): 'collected' | 'spent' | 'unknown' {
  if (grant.phase === 'collected') return nowMs <= grant.collectedAtMs + COLLECT_AGAIN_MS ? 'collected' : 'spent'
  if (grant.phase !== 'approved' || isForgotten(grant, nowMs)) return 'unknown'
  grant.phase = 'collected'
  grant.collectedAtMs = nowMs
  return 'collected'
}

export function isForgotten(grant: GrantState, nowMs: number): boolean {
  return nowMs >= grant.expiresAtMs + RETENTION_MS
}
