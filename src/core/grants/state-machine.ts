/**
 * The state machine of a grant (RFC 8628 §3.5), as functions of a state and a time. The memory store runs them; the Redis
 * scripts implement the same rules in Lua, with these very limits, and one contract suite tests both.
 */

/** Every poll that comes too early lengthens the grant's interval by this much, for good (RFC 8628 §3.5). */
export const SLOW_DOWN_STEP_MS = 5_000
export const LONGEST_INTERVAL_MS = 60_000
/** A poll may come early by the interval divided by this, but by no less than `SHORTEST_GRACE_MS`. */
export const GRACE_DIVISOR = 10
export const SHORTEST_GRACE_MS = 500
/**
 * So soon after an accepted poll its first repetition gets the same answer and is not counted, because some clients send each
 * poll twice (golang.org/x/oauth2: by Basic and by parameters), and others resend a lost one. It is shorter than the shortest
 * time between two accepted polls.
 */
export const REPEAT_WITHIN_MS = 300
/** How long after its expiry a grant is remembered, so that late polls get `expired` or its decision instead of `unknown`. */
export const RETENTION_MS = 300_000
/** How long after its first collection a grant can be collected again, so that a lost answer does not waste the approval. */
export const COLLECT_AGAIN_MS = 30_000
/** Slack of the Redis TTL: keys expire this much later than the rules forget the grant, so that the TTL never decides. */
export const TTL_SLACK_MS = 60_000

export interface GrantState {
  phase: 'pending' | 'approved' | 'denied' | 'collected' | 'withdrawn'
  expiresAtMs: number
  intervalMs: number
  /** The time of the last poll, accepted or too early; 0 before the first. */
  polledAtMs: number
  /** Whether the last poll was accepted and has not been repeated yet. */
  isRepeatable: boolean
  collectedAtMs: number
  /** The run that redeemed a code. */
  redeemedBy?: string
}

/** How early a poll may come, to allow for network jitter and fast clocks: a tenth of the interval, but at least 500 ms. */
export function graceMs(intervalMs: number): number {
  return Math.max(SHORTEST_GRACE_MS, intervalMs / GRACE_DIVISOR)
}

export type PollVerdict = 'pending' | 'slow_down' | 'approved' | 'denied' | 'expired' | 'spent' | 'unknown'

/**
 * Judges a poll and updates the state. A decided grant answers with its decision even after its expiry, and at any pace. A
 * withdrawn one is `expired`, which is what RFC 8628 §3.5 has for a session that has concluded.
 */
export function judgePoll(grant: GrantState, nowMs: number): PollVerdict {
  if (grant.phase === 'collected') return nowMs <= grant.collectedAtMs + COLLECT_AGAIN_MS ? 'approved' : 'spent'
  if (isForgotten(grant, nowMs)) return 'unknown'
  if (grant.phase === 'withdrawn') return 'expired'
  if (grant.phase !== 'pending') return grant.phase
  if (nowMs >= grant.expiresAtMs) return 'expired'
  const early = nowMs < grant.polledAtMs + grant.intervalMs - graceMs(grant.intervalMs)
  const repeats = early && grant.isRepeatable && nowMs <= grant.polledAtMs + REPEAT_WITHIN_MS
  grant.isRepeatable = !early
  // A repetition moves neither the interval nor the time of the last poll.
  if (repeats) return 'pending'
  if (early) grant.intervalMs = Math.min(grant.intervalMs + SLOW_DOWN_STEP_MS, LONGEST_INTERVAL_MS)
  grant.polledAtMs = nowMs
  return early ? 'slow_down' : 'pending'
}

/** Whether a grant can be decided (`open`), is decided or expired (`resolved`), withdrawn, or forgotten (`unknown`). */
export function judgeDecision(grant: GrantState, nowMs: number): 'open' | 'resolved' | 'withdrawn' | 'unknown' {
  if (isForgotten(grant, nowMs)) return 'unknown'
  if (grant.phase === 'withdrawn') return 'withdrawn'
  return grant.phase === 'pending' && nowMs < grant.expiresAtMs ? 'open' : 'resolved'
}

/** Judges a collection and updates the state. */
export function judgeCollection(grant: GrantState, nowMs: number): 'collected' | 'spent' | 'unknown' {
  if (grant.phase === 'collected') return nowMs <= grant.collectedAtMs + COLLECT_AGAIN_MS ? 'collected' : 'spent'
  if (grant.phase !== 'approved' || isForgotten(grant, nowMs)) return 'unknown'
  grant.phase = 'collected'
  grant.collectedAtMs = nowMs
  return 'collected'
}

/**
 * Judges the redemption of a code and updates the state. It is `collected` once, and again for the same run, whose command may
 * have been sent twice. Without a run it says `open` for a code that could be redeemed, and changes nothing.
 */
export function judgeRedemption(
  grant: GrantState,
  nowMs: number,
  run?: string
): 'open' | 'collected' | 'spent' | 'unknown' {
  if (isForgotten(grant, nowMs)) return 'unknown'
  if (grant.phase === 'collected') return run !== undefined && grant.redeemedBy === run ? 'collected' : 'spent'
  if (grant.phase !== 'approved' || nowMs >= grant.expiresAtMs) return 'unknown'
  if (run === undefined) return 'open'
  grant.phase = 'collected'
  grant.collectedAtMs = nowMs
  grant.redeemedBy = run
  return 'collected'
}

/**
 * Judges a withdrawal and updates the state. Only a pending grant is withdrawn; for an approved one, collected or not, the
 * verdict is `approved`, and the caller revokes what the approval led to. A denied or expired grant has ended anyway.
 */
export function judgeWithdrawal(grant: GrantState, nowMs: number): 'withdrawn' | 'approved' | 'resolved' | 'unknown' {
  if (grant.phase === 'collected' && nowMs <= grant.collectedAtMs + COLLECT_AGAIN_MS) return 'approved'
  if (isForgotten(grant, nowMs)) return 'unknown'
  if (grant.phase === 'approved' || grant.phase === 'collected') return 'approved'
  if (grant.phase === 'pending' && nowMs < grant.expiresAtMs) grant.phase = 'withdrawn'
  return grant.phase === 'withdrawn' ? 'withdrawn' : 'resolved'
}

/** Whether a grant's retention has ended: from then on it is `unknown`, unless it was collected moments ago. */
export function isForgotten(grant: GrantState, nowMs: number): boolean {
  return nowMs >= grant.expiresAtMs + RETENTION_MS
}
