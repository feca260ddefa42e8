/** What an error of openid-client says: that the provider refused for good, or that it could not be asked. */
import { AuthorizationResponseError, ResponseBodyError } from 'openid-client'

/**
 * `denied`: by the user. `failed`: the provider says that it went wrong there. `invalid`: the answer does not belong to this
 * attempt, or the provider did not accept it. `not_fresh`: the provider did not have the user sign in again.
 */
export type Refusal = 'denied' | 'failed' | 'invalid' | 'not_fresh'

/**
 * Error codes that concern this one request and will not go away by asking again. All others (also `invalid_client`, which is
 * for the operator to mend) leave everything as it is. `bad_refresh_token` is GitHub's, sent with a 200.
 */
const FOR_GOOD = ['invalid_grant', 'bad_refresh_token', 'bad_verification_code']

/** What openid-client and oauth4webapi say of an answer in the browser's hands, rather than of one of the provider's. */
const ABOUT_THE_CALLBACK = ['OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED']

/** Whatever comes by way of the browser is one: nobody should be able to make a provider look as if it were in trouble. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AuthorizationResponseError) return true
  return FOR_GOOD.includes(errorCodeOf(error) ?? '') || isAboutTheCallback(error)
}

/** For the log: what the library says, and the provider's own code if it is one. */
export function explain(error: unknown): string {
  const code = errorCodeOf(error)
  const said = error instanceof Error ? error.message : String(error)
  return code !== undefined && /^[a-z_]{1,64}$/.test(code) ? `${said} (${code})` : said
}

/** Never a text of the provider's: it is not known what that holds. */
export function describeRefusal(error: unknown): Refusal {
  if (!(error instanceof AuthorizationResponseError)) return 'invalid'
  return error.error === 'access_denied' ? 'denied' : 'failed'
}

/** The `error` member of a provider's answer, whatever status it came with. */
function errorCodeOf(error: unknown): string | undefined {
  if (error instanceof ResponseBodyError) return error.error
  const { body } = (causeOf(error) ?? {}) as { body?: { error?: unknown } }
  return typeof body?.error === 'string' ? body.error : undefined
}

/** State, nonce or issuer of the callback are not those of this attempt. */
function isAboutTheCallback(error: unknown): boolean {
  const { code } = error as { code?: string }
  const cause = causeOf(error) as { parameters?: unknown; claim?: string } | undefined
  if (code === undefined || !ABOUT_THE_CALLBACK.includes(code)) return false
  return cause?.parameters !== undefined || cause?.claim === 'nonce'
}

function causeOf(error: unknown): unknown {
  let cause = error instanceof Error ? error.cause : undefined
  // One library wraps the other's errors.
  if (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  return cause
}

const LONGEST_RETRY_AFTER_SECONDS = 300

/** How long the provider asks to be left alone, within reason. */
export function retryAfterOf(error: unknown): number | undefined {
  const cause = error instanceof ResponseBodyError ? error.response : causeOf(error)
  const header = cause instanceof Response ? cause.headers.get('retry-after') : null
  if (header === null || !/^\d{1,9}$/.test(header)) return undefined
  return Math.min(Math.max(1, Number(header)), LONGEST_RETRY_AFTER_SECONDS)
}
