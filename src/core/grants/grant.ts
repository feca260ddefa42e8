/**
 * A device grant: what a client asked for, what a user decided, and what a poll or a decision can come to.
 * The rules that lead from one to the other are in rules.ts, keeping them is the store's part, the whole story is grants.ts.
 */
import type { Client, ClientType } from '../clients/client.js'
import type { IssuedTokens } from '../tokens/tokens.js'

/** What a client says about itself. Its own claim: nothing of it is verified. */
export interface ClientMetadata {
  name?: string
  version?: string
  hostname?: string
  os?: string
}

/** Where a request came from, as far as a trusted edge knows. */
export interface Location {
  /** "city, region, country", at most 256 characters. */
  text: string
  /** ISO 3166-1 alpha-2, absent when unknown. */
  country?: string
}

/** True or false only when both countries are known: an unknown one is no reason to warn. */
export function countriesDiffer(requester: Location | undefined, approver: Location | undefined): boolean | undefined {
  if (!requester?.country || !approver?.country) return undefined
  return requester.country !== approver.country
}

export interface GrantRequest {
  /** The OAuth client that asks. A built-in one has its type for an id. */
  clientId: string
  clientType: ClientType
  /** What it asks for; what the user is shown is what the tokens carry. */
  scopes: readonly string[]
  metadata: ClientMetadata
  ip: string
  location?: Location
}

export type Action = 'approve' | 'deny'

export interface Decision {
  action: Action
  userId: string
  /** Id of the authorization that an approval leads to, chosen at the decision so that every collection means the same one. */
  authorizationId: string
  /** Address of whoever decided. */
  ip: string
}

/** What a poll comes to. `spent`: approved, collected, and the time to collect it again is over. */
export type PollOutcome =
  | { kind: 'pending' }
  | { kind: 'slow_down'; intervalSeconds: number }
  | { kind: 'approved'; tokens: IssuedTokens }
  | { kind: 'denied' | 'expired' | 'spent' | 'unknown' }

/** What looking a user code up comes to. `resolved`: the code exists, but is decided or expired. */
export type PeekOutcome =
  // No client if the operator has taken it away since.
  | { kind: 'pending'; request: GrantRequest; client: Client | undefined; createdAtMs: number }
  | { kind: 'resolved' | 'unknown' }

/** What a decision comes to. A repetition of the same decision by the same user counts as decided. */
export type DecideOutcome =
  // The client an approval leads to, unless this is a repetition that cannot know it.
  { kind: 'decided'; authorizationId?: string } | { kind: 'resolved' | 'unknown' }

/** What taking an approval back comes to. `unknown`: this user has approved nothing under that code. */
export type UndoOutcome = { kind: 'undone' | 'unknown' }
