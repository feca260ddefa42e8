/** What `verify` rejects with: the errors of RFC 6750 §3, ready to be sent, and 503 for what cannot be known now. */

export type ErrorCode = 'missing_token' | 'invalid_token' | 'insufficient_scope' | 'temporarily_unavailable'

/**
 * Why, for logs and metrics; callers are told the code alone. Of the token: `missing`, `malformed`, `signature` (also an unknown
 * key), `type`, `issuer`, `audience`, `expired`, `not-yet`, `claims` (one is missing or of the wrong type), `revoked`, `scope`.
 * Of what the verifier could not find out: `keys`, `unread` (no first reading of the feed yet), `stale`, `introspection`, `closed`.
 */
export type Reason =
  | 'missing'
  | 'malformed'
  | 'signature'
  | 'type'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not-yet'
  | 'claims'
  | 'revoked'
  | 'scope'
  | 'keys'
  | 'unread'
  | 'stale'
  | 'introspection'
  | 'closed'

export interface VerifyError extends Error {
  name: 'VerifyError'
  code: ErrorCode
  reason: Reason
  /** 401, or 403 for `insufficient_scope`, or 503 for `temporarily_unavailable`. */
  status: 401 | 403 | 503
  /** The value of `WWW-Authenticate`; undefined with 503, because no other token would do better. */
  wwwAuthenticate: string | undefined
  /** With 503, the seconds after which it is worth another try. */
  retryAfterSeconds: number | undefined
  /** The headers of an answer with this error. Fastify and Express send them by themselves. */
  headers: Record<string, string>
  /** The body of an answer with this error, as JSON. RFC 6750 §3.1 wants none where there was no token. */
  body: { error?: string; error_description?: string }
}

export function isVerifyError(error: unknown): error is VerifyError {
  return error instanceof Error && error.name === 'VerifyError' && 'wwwAuthenticate' in error
}

export interface Refusals {
  /** The token is missing, bad, or lacks one of these scopes. */
  refuse(reason: Reason, details?: { scope?: string; cause?: unknown }): VerifyError
  /** Whether the token is good cannot be found out now. */
  unavailable(reason: Reason, details?: { retryAfterSeconds?: number | undefined; cause?: unknown }): VerifyError
}

const DESCRIPTIONS: Record<Exclude<ErrorCode, 'missing_token'>, string> = {
  invalid_token: 'The access token is malformed, expired, revoked, or not for this resource',
  insufficient_scope: 'The access token does not have the scope that this needs',
  temporarily_unavailable: 'Whether the access token is valid cannot be found out at the moment'
}

/** `resourceMetadata` is the address that challenges name (RFC 9728 §5.1). */
export function createRefusals(resourceMetadata: string | undefined): Refusals {
  function challengeOf(parameters: Record<string, string | undefined>): string {
    const list = Object.entries({ ...parameters, resource_metadata: resourceMetadata })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}="${value}"`)
    return ['Bearer', list.join(', ')].join(' ').trimEnd()
  }

  return {
    refuse(reason, { scope, cause } = {}) {
      if (reason === 'missing') {
        const wwwAuthenticate = challengeOf({})
        return make('missing_token', reason, 401, 'There is no access token', { wwwAuthenticate, body: {} })
      }
      const code = reason === 'scope' ? 'insufficient_scope' : 'invalid_token'
      const description = DESCRIPTIONS[code]
      const wwwAuthenticate = challengeOf({ error: code, error_description: description, scope })
      return make(code, reason, reason === 'scope' ? 403 : 401, description, { wwwAuthenticate, cause })
    },

    unavailable: (reason, { retryAfterSeconds = 1, cause } = {}) =>
      make('temporarily_unavailable', reason, 503, DESCRIPTIONS.temporarily_unavailable, { retryAfterSeconds, cause })
  }
}

interface Rest {
  wwwAuthenticate?: string
  retryAfterSeconds?: number
  body?: VerifyError['body']
  cause?: unknown
}

function make(code: ErrorCode, reason: Reason, status: VerifyError['status'], message: string, rest: Rest) {
  const { wwwAuthenticate, retryAfterSeconds, cause, body = { error: code, error_description: message } } = rest
  const headers: Record<string, string> = { 'cache-control': 'no-store' }
  if (wwwAuthenticate !== undefined) headers['www-authenticate'] = wwwAuthenticate
  if (retryAfterSeconds !== undefined) headers['retry-after'] = `${retryAfterSeconds}`
  const error = new Error(`${message} (${reason})`, cause === undefined ? {} : { cause })
  return Object.assign(error, {
    ...({ name: 'VerifyError', code, reason, status } as const),
    ...{ wwwAuthenticate, retryAfterSeconds, headers, body }
  })
}
