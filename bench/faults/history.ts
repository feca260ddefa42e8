/** The history of a load: every request with its answer, in words that fit both surfaces of the service. */

export type Kind = 'start' | 'poll' | 'wait' | 'decide' | 'use' | 'introspect' | 'refresh' | 'rename' | 'revoke'

/**
 * `gone`: the grant does not exist, or not any more. `missing`: a 404. `refused`: the token is not valid.
 * `unavailable`: the service could not decide, or gave no answer. `unexpected`: an answer that the contract does not
 * know.
 */
export type Outcome =
  | 'done'
  | 'pending'
  | 'slow_down'
  | 'approved'
  | 'denied'
  | 'gone'
  | 'missing'
  | 'accepted'
  | 'refused'
  | 'unavailable'
  | 'unexpected'

/** One request with its answer. Times are milliseconds on one clock. */
export interface Entry {
  /** The actor that sent the request: one user with one grant. */
  actor: string
  kind: Kind
  /** A request and its repetitions share this number. */
  operation: number
  sentAt: number
  answeredAt: number
  /** The HTTP status; 0 if the connection ended or no answer came in time. */
  status: number
  outcome: Outcome
  /** The decision or the label that the request asked for. */
  said?: string
  /** The id of the authorization, read from a token that the answer handed out. */
  authorization?: string
}

export interface ListedClient {
  id: string
  label: string | null
  isRevoked: boolean
}

/** An event of the audit trail. What does not apply is empty. */
export interface ToldEvent {
  type: string
  authorization: string
}

export interface Trail {
  /** The events, by actor. */
  told: ReadonlyMap<string, readonly ToldEvent[]>
  /** The actors of whom a code or a token is in the trail. */
  leaks: ReadonlySet<string>
}

/** The state after the run, by actor. */
export interface FinalState {
  /** The outcome of the last poll of each grant. */
  polls: ReadonlyMap<string, Outcome>
  /** The outcome of the last use of each token. */
  uses: ReadonlyMap<string, Outcome>
  /** The authorizations in each user's list. */
  clients: ReadonlyMap<string, readonly ListedClient[]>
  /** The ids of the records in Redis. A duplicate record might be missing in the list, so Redis is read too. */
  records: ReadonlyMap<string, readonly string[]>
  trail: Trail
}
