/**
 * The closed list of errors a request can end with. A fault has a code, which each surface maps to its answer by a complete
 * table, and a private detail, which only the log gets. The outcomes of a grant are not faults: see grants/grant.ts.
 */
export type FaultCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'invalid_token'
  | 'forbidden'
  | 'user_blocked'
  | 'refused_by_rule'
  | 'insufficient_user_authentication'
  | 'insufficient_scope'
  | 'not_found'
  | 'unknown_user_code'
  | 'needs_reconnect'
  | 'conflict'
  | 'token_not_valid'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'method_not_allowed'
  | 'request_timeout'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'unavailable'
  | 'overloaded'
  | 'internal'

export interface Fault extends Error {
  readonly name: 'Fault'
  readonly code: FaultCode
  /**
   * A sentence for the caller that says what is wrong with the request; surfaces show it with 400 and 409 only. With
   * `refused_by_rule` it is what the operator's rule says, and shown as it is.
   */
  readonly hint: string | undefined
  /** The cause, for the log only. */
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** With `insufficient_scope`, the scopes that are needed. */
  readonly scope: string | undefined
}

interface FaultParts {
  hint?: string
  detail?: string
  retryAfterSeconds?: number
  scope?: string
  cause?: unknown
}

/** Creates a fault; the caller throws it. */
export function fault(code: FaultCode, parts: FaultParts = {}): Fault {
  const error = new Error(parts.detail ?? code, parts.cause === undefined ? undefined : { cause: parts.cause })
  const { hint, detail, retryAfterSeconds, scope } = parts
  return Object.assign(error, { name: 'Fault', code, hint, detail, retryAfterSeconds, scope } as const)
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Error && error.name === 'Fault'
}
