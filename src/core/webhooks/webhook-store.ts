/**
 * The storage interface of the webhooks: who delivers them, how far each endpoint has come in the audit trail, what waits for its
 * next attempt, and what was given up. Every method is atomic and idempotent, and rejects with `unavailable` when the storage cannot
 * answer.
 */
import type { Delivery, FailedDelivery } from './delivery.js'

/** How many failed deliveries of an endpoint are kept; the oldest make room. */
export const MOST_FAILED = 1_000
/** How many gaps are remembered, the newest ones. */
export const MOST_GAPS = 20

/** Everything up to this event is delivered, or waits in the storage. */
export interface Cursor {
  /** Undefined before the first event of the trail. */
  eventId: string | undefined
  atMs: number
}

/** Events that the trail dropped before the endpoint had them: some of those between these times. */
export interface Gap {
  fromMs: number
  untilMs: number
}

export interface EndpointState {
  /** Undefined for an endpoint that nobody has delivered to. */
  cursor: Cursor | undefined
  /** Since when nothing is sent, because the receiver answered 410. */
  stoppedAtMs: number | undefined
  gaps: Gap[]
  /** Failed deliveries that are listed no more, because there were too many. */
  dropped: number
}

export interface EndpointCounts {
  stoppedAtMs: number | undefined
  waiting: number
  failed: number
  /** Failed deliveries that an operator wants sent again. */
  resent: number
}

export type Change =
  | { kind: 'cursor'; cursor: Cursor }
  | { kind: 'gaps'; gaps: readonly Gap[] }
  | { kind: 'stop'; atMs: number }
  /** Keeps a delivery that waits, or what has become of it. */
  | { kind: 'hold'; delivery: Delivery }
  /** A delivery that waited is delivered. */
  | { kind: 'drop'; deliveryId: string }
  /** A delivery is given up. */
  | { kind: 'fail'; delivery: FailedDelivery }

export interface WebhookStore {
  /**
   * Takes or keeps the lead for `forMs`, unless another holder has it. Resolves to a fencing token, which is greater than all before
   * and stays the same while the lead is kept; undefined if another one leads.
   */
  lead(holder: string, forMs: number): Promise<number | undefined>
  /** Gives the lead back, if this holder has it. */
  resign(holder: string): Promise<void>
  /** Changes the state of an endpoint, all or nothing: 'stale' if somebody has taken the lead since this token was given. */
  write(endpointId: string, token: number, changes: readonly Change[]): Promise<'written' | 'stale'>
  state(endpointId: string): Promise<EndpointState>
  counts(endpointId: string): Promise<EndpointCounts>
  /** What waits, in its order. */
  held(endpointId: string): Promise<Delivery[]>
  /** What an operator wants sent again and nobody holds yet. */
  resent(endpointId: string): Promise<Delivery[]>
  /** Failed deliveries, those that failed first at first. */
  failed(endpointId: string): Promise<FailedDelivery[]>
  /** Takes deliveries out of the failed ones, to be sent again. Resolves to how many of them there were. */
  resend(endpointId: string, deliveryIds: readonly string[]): Promise<number>
  /** Lets an endpoint that was stopped go on. */
  resume(endpointId: string): Promise<void>
}
