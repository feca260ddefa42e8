/**
 * What the grants need from storage. Every method is atomic, safe to apply twice, and rejects with the fault `unavailable`
 * when it could not look: an answer always means that the store has spoken.
 * Codes come as digests and tags; no store ever sees one in clear.
 */
import type { Decision, GrantRequest } from './grant.js'

export interface NewGrant {
  request: GrantRequest
  /** Of the client that asks: see oauth-clients/oauth-client.ts. */
  clientTag: string
  /** Life and pacing are kept with the grant, so that instances with other settings agree on it. */
  lifeMs: number
  intervalMs: number
}

export type StoredPoll =
  | { kind: 'pending' }
  | { kind: 'slow_down'; intervalMs: number }
  | { kind: 'approved'; request: GrantRequest; decision: Decision }
  | { kind: 'denied' | 'expired' | 'spent' | 'unknown' }

/** `resolved`: decided or expired, and its record still there. */
export type GrantStanding = 'pending' | 'resolved' | 'unknown'

export interface FoundGrant {
  grantDigest: string
  state: 'pending' | 'resolved'
  request: GrantRequest
  createdAtMs: number
  decision: Decision | undefined
}

export type StoredDecision = { kind: 'decided'; afterMs: number } | { kind: 'repeated' | 'resolved' | 'unknown' }

export interface GrantStore {
  /** Keeps a pending grant and reserves its user code, or says that the code belongs to another live grant. */
  create(grantDigest: string, userCodeTag: string, grant: NewGrant): Promise<'created' | 'user_code_taken'>

  /**
   * Judges one poll by the rules and remembers it. Looking at an approved grant does not collect it. To whoever's client tag
   * does not begin so the grant is unknown, and stays as it is (RFC 8628 §3.5, RFC 6749 §5.2).
   */
  poll(grantDigest: string, clientTag: string): Promise<StoredPoll>

  /** Whether a grant waits for its decision, without a word about who may know. Changes nothing. */
  stateOf(grantDigest: string): Promise<GrantStanding>

  /** The grant a user code stands for, as long as its record lives. */
  find(userCodeTag: string): Promise<FoundGrant | undefined>

  /** Decides a pending grant, once, and has every instance told (DecisionFeed). `afterMs` counts from its creation. */
  decide(grantDigest: string, decision: Decision): Promise<StoredDecision>

  /** Claims an approved grant: the first call starts the time in which it can be collected again. */
  collect(grantDigest: string): Promise<'collected' | 'spent' | 'unknown'>
}

export interface DecisionListener {
  /** This grant has been decided. Told at most once, and not at all while the feed is down. */
  decided(grantDigest: string): void
  /** The feed was down and is up again: something may have been missed. */
  resumed(): void
}

/** How an instance hears that a grant was decided, on whichever instance that was. */
export interface DecisionFeed {
  /** Whether a decision taken now would be heard of. */
  isUp(): boolean
  listen(listener: DecisionListener): void
}
