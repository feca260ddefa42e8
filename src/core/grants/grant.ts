/**
 * The types of a device grant: a client's request, a user's decision, and the possible outcomes of each operation. The state
 * machine is rules.ts, storage is grant-store.ts, and the operations are grants.ts and polls.ts.
 */
import { createHash } from 'node:crypto'
import type { Whence } from '../audit/event.js'
import type { Client, ClientType } from '../clients/client.js'
import type { IssuedTokens } from '../tokens/issued-tokens.js'

/** What a client says about itself. None of it is verified. */
export interface ClientMetadata {
  name?: string
  version?: string
  hostname?: string
  os?: string
}

/** The location of a request's address, from the headers of a trusted edge (EDGE_HEADERS). */
export interface Location {
  /** "city, region, country", at most 256 characters. */
  text: string
  /** ISO 3166-1 alpha-2; absent if unknown. */
  country?: string
}

/** Whether the two countries differ. Undefined if either is unknown, which is no reason for a warning. */
export function countriesDiffer(requester: Location | undefined, approver: Location | undefined): boolean | undefined {
  if (!requester?.country || !approver?.country) return undefined
  return requester.country !== approver.country
}

export interface GrantRequest {
  /** The OAuth client that started the grant. The id of a built-in client is its type. */
  clientId: string
  clientType: ClientType
  /** The requested scopes. An approval grants all of them but those that its user leaves out. */
  scopes: readonly string[]
  /** The identifiers of the requested resources (RFC 8707). Absent where there are none: the tokens are for the issuer. */
  resources?: readonly string[]
  /** The challenge of PKCE (RFC 7636 §4.2), always by S256: whoever collects must know its verifier. */
  codeChallenge?: string
  /** Where the code of a code grant was sent. A device grant has none. */
  redirectUri?: string
  /** What the ID token of a code grant repeats (OpenID Connect Core 1.0 §3.1.2.1). */
  nonce?: string
  metadata: ClientMetadata
  ip: string
  location?: Location
}

/** How a grant is asked for: by a device, or in the browser of the device that asks. */
export type Flow = 'device' | 'code'

export const flowOf = ({ redirectUri }: Pick<GrantRequest, 'redirectUri'>): Flow =>
  redirectUri === undefined ? 'device' : 'code'

export type Action = 'approve' | 'deny'

export interface Decision {
  action: Action
  userId: string
  /** The id of the authorization, whose record is there before an approval is: `authorizationIdOf`. */
  authorizationId: string
  /** The address of the user who decided. */
  ip: string
  /**
   * The id of the user's last revocation of everything at this time, '' if there was none. Undefined in a decision that an
   * instance of an older version has made.
   */
  revokedAllId?: string | undefined
  /** When the user had signed in, if that is to be told (`auth_time`). */
  signedInAtMs?: number | undefined
  /** The scopes that an approval grants. Undefined if it grants all that are requested. */
  scopes?: readonly string[] | undefined
}

/**
 * The id of the authorization that a user's approval of a grant leads to (a UUID of version 8, RFC 9562 §5.8). It is the same
 * however often and wherever they approve, so that a repetition whose first answer was lost finds the record of the first.
 */
export function authorizationIdOf(grantDigest: string, userId: string): string {
  const hash = createHash('sha256').update(`authorization ${grantDigest} ${userId}`).digest('hex')
  const variant = ((Number.parseInt(hash.charAt(16), 16) & 0b0011) | 0b1000).toString(16)
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

/**
 * The outcome of a poll. `spent`: collected before, and the time to collect it again is over. `invalid_target`: it is approved, but
 * not for the resource that was named, or the operator has removed the one that was approved. It can be collected for another.
 */
export type PollOutcome =
  | { kind: 'pending' }
  | { kind: 'slow_down'; intervalSeconds: number }
  | { kind: 'approved'; tokens: IssuedTokens }
  | { kind: 'denied' | 'expired' | 'spent' | 'unknown' }
  | { kind: 'invalid_target' }

/** What whoever collects a grant makes of it. */
export interface Collecting {
  /** The resources that are named, all of them allowed to the client: the token is for the first. */
  resources: readonly string[]
  /** Whether a refresh token could be handed over. Where it cannot, there is none, and the access token lives the longer for it. */
  takesRefreshToken: boolean
  /** Who collects, where more than one may have the tag that it polls with. To any other client the grant is unknown. */
  clientId?: string
  /** The verifier of PKCE, if one was sent. */
  codeVerifier?: string | undefined
  /** The header of whoever redeems a code. */
  userAgent?: string | undefined
  /** Where the request comes from. Most polls collect nothing, and ask for none of it. */
  whence(): Whence
}

/** What a user is asked. The id is that of the audit trail. */
export interface Question {
  grantId: string
  clientId: string
}

/** The outcome of looking up a user code. `resolved`: decided or expired. `withdrawn`: by its client, before a decision. */
export type PeekOutcome =
  // No client if the operator has taken it away since.
  | ({ kind: 'pending'; request: GrantRequest; client: Client | undefined; createdAtMs: number } & Question)
  | { kind: 'resolved' | 'withdrawn' | 'unknown' }

/**
 * The outcome of a decision. Repeating the same decision as the same user is `decided` as well. `blocked`: the user may approve
 * nothing. `full`: they have MOST_ACTIVE authorizations already (authorizations/authorization.ts), and the grant still waits.
 */
export type DecideOutcome =
  // The id is that of the approval's authorization. A denial has none.
  { kind: 'decided'; authorizationId?: string } | { kind: 'blocked' | 'full' | 'resolved' | 'withdrawn' | 'unknown' }

/** The outcome of undoing an approval. `unknown`: this user approved no grant with that user code. */
export type UndoOutcome = { kind: 'undone' | 'unknown' }

/**
 * The outcome of a redemption of a code. `spent`: it was redeemed before, and what that led to is revoked now. `denied`: what it
 * would lead to is revoked already, or its user is blocked. `unknown`: there is no such code, or it is not for whoever presents it.
 */
export type RedeemOutcome =
  | { kind: 'approved'; tokens: IssuedTokens }
  | { kind: 'denied' | 'spent' | 'unknown' | 'invalid_target' }

/**
 * The outcome of a withdrawal by the client. `withdrawn`: the grant was pending, and cannot be approved any more. `revoked`: it
 * was approved, and what that led to is revoked. `resolved`: it was denied or had expired.
 */
export type WithdrawOutcome = { kind: 'withdrawn' | 'revoked' | 'resolved' | 'unknown' }
