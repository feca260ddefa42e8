/**
 * The closed list of what can go wrong with a request. A fault has a code, which each surface turns into its own answer
 * by a complete table, and a private detail, which only the log sees. What a grant can be is no fault: see grants/outcome.ts.
 */
export type FaultCode =
  | 'invalid_request'
  | 'unauthenticated'
  | 'invalid_token'
  | 'forbidden'
  | 'insufficient_scope'
  | 'not_found'
  | 'unknown_user_code'
  | 'needs_reconnect'
  | 'conflict'
  | 'token_not_valid'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
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
  /** A sentence for the caller, for invalid_request alone: it names the field. */
  readonly hint: string | undefined
  /** For the log only. */
  readonly detail: string | undefined
  readonly retryAfterSeconds: number | undefined
}

interface FaultParts {
  hint?: string
  detail?: string
  retryAfterSeconds?: number
  cause?: unknown
}

/** Makes a fault to throw. */
export function fault(code: FaultCode, parts: FaultParts = {}): Fault {
  const error = new Error(parts.detail ?? code, parts.cause === undefined ? undefined : { cause: parts.cause })
  const { hint, detail, retryAfterSeconds } = parts
  return Object.assign(error, { name: 'Fault', code, hint, detail, retryAfterSeconds } as const)
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Error && error.name === 'Fault'
}
