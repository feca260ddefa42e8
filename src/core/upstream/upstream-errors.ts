/** Classifies errors of openid-client: the upstream refused for good, or it could not be asked. */
import { AuthorizationResponseError, ResponseBodyError } from 'openid-client'

/**
 * Why a sign-in was refused. `denied`: the user declined at the upstream. `failed`: the upstream answered with another error.
 * `invalid`: the callback does not belong to this attempt, or the upstream did not accept its code. `not_fresh`: the upstream
 * did not have the user sign in again.
 */
export type Refusal = 'denied' | 'failed' | 'invalid' | 'not_fresh'

/**
 * Error codes that mean this code or refresh token will never be accepted. All other codes count as `unavailable` and change
 * nothing, `invalid_client` too, which the operator has to fix. The `bad_…` codes are GitHub's, which sends them with a 200.
 */
const FOR_GOOD = ['invalid_grant', 'bad_refresh_token', 'bad_verification_code']

/** Error codes of oauth4webapi for a fault in the callback's parameters, which the browser sends, not the upstream. */
const ABOUT_THE_CALLBACK = ['OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED']

/**
 * Whether an error is a refusal. Every fault in what the browser sent counts as one: otherwise anybody could open the circuit
 * breaker of an upstream with forged callbacks.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AuthorizationResponseError) return true
  return FOR_GOOD.includes(errorCodeOf(error) ?? '') || isAboutTheCallback(error)
}

/** A text for the log: the library's message, and the upstream's error code if it has the form of one. */
export function explain(error: unknown): string {
  const code = errorCodeOf(error)
  const said = error instanceof Error ? error.message : String(error)
  return code !== undefined && /^[a-z_]{1,64}$/.test(code) ? `${said} (${code})` : said
}

/** The reason for a refusal. The upstream's own texts are left out, for they could hold anything. */
export function describeRefusal(error: unknown): Refusal {
  if (!(error instanceof AuthorizationResponseError)) return 'invalid'
  return error.error === 'access_denied' ? 'denied' : 'failed'
}

/** The `error` member of an upstream's answer, whatever its status. */
function errorCodeOf(error: unknown): string | undefined {
  if (error instanceof ResponseBodyError) return error.error
  const { body } = (causeOf(error) ?? {}) as { body?: { error?: unknown } }
  return typeof body?.error === 'string' ? body.error : undefined
}

/** Whether the callback's state, nonce or issuer is not that of this attempt. */
function isAboutTheCallback(error: unknown): boolean {
  const { code } = error as { code?: string }
  const cause = causeOf(error) as { parameters?: unknown; claim?: string } | undefined
  if (code === undefined || !ABOUT_THE_CALLBACK.includes(code)) return false
  return cause?.parameters !== undefined || cause?.claim === 'nonce'
}

function causeOf(error: unknown): unknown {
  let cause = error instanceof Error ? error.cause : undefined
  // openid-client wraps the errors of oauth4webapi.
  if (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  return cause
}

const LONGEST_RETRY_AFTER_SECONDS = 300

/** The upstream's Retry-After in seconds, from 1 to 300. Undefined if there is none, or if it is a date. */
export function retryAfterOf(error: unknown): number | undefined {
  const cause = error instanceof ResponseBodyError ? error.response : causeOf(error)
  const header = cause instanceof Response ? cause.headers.get('retry-after') : null
  if (header === null || !/^\d{1,9}$/.test(header)) return undefined
  return Math.min(Math.max(1, Number(header)), LONGEST_RETRY_AFTER_SECONDS)
}
