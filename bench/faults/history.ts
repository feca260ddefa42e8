/** What a load has asked and been told, request by request, in words that both surfaces of the service share. */

export type Kind = 'start' | 'poll' | 'wait' | 'decide' | 'use' | 'introspect' | 'refresh' | 'rename' | 'revoke'

/**
 * `gone`: no such grant, or not any more. `missing`: a 404. `refused`: the token is not valid. `unavailable`: the service could
 * not look, or nothing was answered. `unexpected`: an answer that the contract does not know.
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

/** One request. Times are milliseconds on one clock. */
export interface Entry {
  /** Whose it is: an actor is one user with one grant. */
  actor: string
  kind: Kind
  /** The same for a request and its repetitions. */
  operation: number
  sentAt: number
  answeredAt: number
  /** 0: the connection ended, or nothing came in time. */
  status: number
  outcome: Outcome
  /** What a decision or a label was to be. */
  said?: string
  /** The id of the authorization, in a token that was handed out. */
  authorization?: string
}

export interface ListedClient {
  id: string
  label: string | null
  isRevoked: boolean
}

/** How things are when all is over, by actor. */
export interface FinalState {
  /** What a last poll of each grant came to. */
  polls: ReadonlyMap<string, Outcome>
  /** What a last use of each token came to. */
  uses: ReadonlyMap<string, Outcome>
  /** What each user's list shows. */
  clients: ReadonlyMap<string, readonly ListedClient[]>
  /** The ids of the records that Redis itself has: what no list shows is there all the same. */
  records: ReadonlyMap<string, readonly string[]>
}
