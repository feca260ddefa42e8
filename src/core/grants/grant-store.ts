/**
 * The storage interface of grants. `poll`, `decide`, `withdraw` and `collect` are atomic. Every method but `poll` is idempotent,
 * and a poll whose command is sent twice counts once. All reject with the fault `unavailable` when the storage cannot answer.
 * Stores get codes only as digests (grant code) and keyed tags (user code), never in clear.
 */
import type { Decision, GrantRequest } from './grant.js'

export interface NewGrant {
  request: GrantRequest
  /** The tag of the client that started the grant: `tagOf` in clients/client.ts. */
  clientTag: string
  /** The lifetime and poll interval are stored with the grant, so that instances with different settings treat it alike. */
  lifeMs: number
  intervalMs: number
}

export type StoredPoll =
  | { kind: 'pending' }
  | { kind: 'slow_down'; intervalMs: number }
  | ({ kind: 'approved' } & ApprovedGrant)
  | { kind: 'denied' | 'expired' | 'spent' | 'unknown' }

export interface ApprovedGrant {
  request: GrantRequest
  decision: Decision
  createdAtMs: number
}

/** `resolved`: decided or expired, but not yet forgotten. `withdrawn`: by its client, before it was decided. */
export type GrantStanding = 'pending' | 'resolved' | 'withdrawn' | 'unknown'

export interface FoundGrant {
  grantDigest: string
  state: 'pending' | 'resolved' | 'withdrawn'
  request: GrantRequest
  createdAtMs: number
  expiresAtMs: number
  decision: Decision | undefined
}

/** `repeated`: this user decided the same before, and what stands is that decision, with its authorization's id. */
export type StoredDecision =
  | { kind: 'decided'; afterMs: number }
  | { kind: 'repeated'; authorizationId: string }
  | { kind: 'resolved' | 'withdrawn' | 'unknown' }

/** `approved`: it was approved before, collected or not, and stays as it is. `resolved`: denied or expired. */
export type StoredWithdrawal =
  | ({ kind: 'approved' } & ApprovedGrant)
  | { kind: 'withdrawn'; request: GrantRequest }
  | { kind: 'resolved' | 'unknown' }

export interface GrantStore {
  /**
   * Reserves the user code and stores the pending grant; `user_code_taken` if another live grant has that code. A grant that is there
   * already stays as it is. But a code grant, which has no user code, begins its life anew while nobody has decided it: an approval
   * that came to nothing may be followed by one that does. `beside` is called once the grant is sent, so that what it sends leaves
   * with it, and after it. It is waited for.
   */
  create(
    grantDigest: string,
    userCodeTag: string | undefined,
    grant: NewGrant,
    beside?: () => Promise<void>
  ): Promise<'created' | 'user_code_taken'>

  /**
   * Judges one poll by state-machine.ts and stores its effect on the pacing. Does not collect an approved grant. `clientTag` is a
   * prefix: to a caller with which the grant's tag does not begin, the grant is unknown, and it stays unchanged (RFC 8628 §3.5,
   * RFC 6749 §5.2). A store may let polls wait some milliseconds for others, but not those that are urgent.
   */
  poll(grantDigest: string, clientTag: string, isUrgent?: boolean): Promise<StoredPoll>

  /** Whether a grant still waits for its decision. Checks no client and changes nothing. */
  stateOf(grantDigest: string): Promise<GrantStanding>

  /** The grant, until it is forgotten (state-machine.ts). Checks no client. */
  get(grantDigest: string): Promise<FoundGrant | undefined>

  /** The grant with this user code, until it is forgotten (state-machine.ts). */
  find(userCodeTag: string): Promise<FoundGrant | undefined>

  /** Decides a pending grant, once, and publishes that on the DecisionFeed. `afterMs` is the time since its creation. */
  decide(grantDigest: string, decision: Decision): Promise<StoredDecision>

  /**
   * Withdraws a pending grant, once, and publishes that on the DecisionFeed. A grant that is withdrawn already is `withdrawn`
   * again. `clientTag` is a prefix, as for `poll`.
   */
  withdraw(grantDigest: string, clientTag: string): Promise<StoredWithdrawal>

  /** Claims an approved grant. The first claim starts the time in which it can be repeated (COLLECT_AGAIN_MS in state-machine.ts). */
  collect(grantDigest: string): Promise<'collected' | 'spent' | 'unknown'>

  /** What redeeming a code would come to, by state-machine.ts, and the approval behind it. To a client with another tag it is unknown. */
  lookAtCode(grantDigest: string, clientTag: string): Promise<StoredCode>

  /** Redeems a code. Of all redemptions, on whichever instances, one is `collected`; it is that again if its command is sent twice. */
  redeem(grantDigest: string, clientTag: string): Promise<'collected' | 'spent' | 'unknown'>
}

/** `spent`: it was redeemed before. */
export type StoredCode = ({ kind: 'open' | 'spent' } & ApprovedGrant) | { kind: 'unknown' }

/** All is delivered at most once, and lost while the feed is down. */
export interface DecisionListener {
  /** A grant was decided or withdrawn. */
  decided(grantDigest: string): void
  /** Something is being revoked: there is something new in the revocation feed. */
  revoked(): void
  /** The feed is up again after it was down: decisions may have been missed. */
  resumed(): void
}

/** Tells this instance that a grant was decided or withdrawn, or something revoked, on whichever instance that happened. */
export interface DecisionFeed {
  /** Whether a decision made now would reach the listeners. */
  isUp(): boolean
  listen(listener: DecisionListener): void
}
