/** The answers of the authorization endpoint (RFC 6749 §4.1.2), which the browser brings to the client. */

/** The codes of RFC 6749 §4.1.2.1, RFC 8707 §2 and OpenID Connect Core 1.0 §3.1.2.6 that this endpoint sends back. */
export type AuthorizationErrorCode =
  | 'invalid_request'
  | 'unauthorized_client'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'login_required'
  | 'consent_required'
  | 'server_error'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'registration_not_supported'

export interface Refusal {
  error: AuthorizationErrorCode
  /** In the characters of RFC 6749 §4.1.2.1: no quotes, no backslashes. */
  description: string
}

/** Where the answer goes, and what comes back with it. */
export interface ReturnAddress {
  redirectUri: string
  state: string | undefined
}

/** Whatever this service redirects to is not longer: servers and proxies take some 8,000 bytes in the first line of a request. */
export const LONGEST_URL = 7_500

/** The URL that brings the answer: the redirect URI with it, `state`, and `iss`, by which a client knows who answers (RFC 9207 §2). */
export function answerUrl(
  issuer: string,
  { redirectUri, state }: ReturnAddress,
  answer: { code: string } | Refusal
): string {
  const parameters = new URLSearchParams(
    'code' in answer ? answer : { error: answer.error, error_description: `${answer.description}.` }
  )
  if (state !== undefined) parameters.set('state', state)
  parameters.set('iss', issuer)
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${parameters}`
}
