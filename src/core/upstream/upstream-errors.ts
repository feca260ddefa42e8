/** What an error of openid-client, or of the fetch function below it, means for a sign-in: a reason for the user, a text for the log. */
import { errors } from 'jose'
import { AuthorizationResponseError, ClientError } from 'openid-client'
import { fault } from '../fault.js'
import { failureOf } from './upstream-fetch.js'

/**
 * Why a sign-in was refused. `denied`: the user declined at the upstream. `failed`: the upstream answered with another error, or
 * with what proves no identity. `invalid`: the callback does not belong to this attempt, or the upstream did not accept its code.
 * `not_fresh`: the upstream did not have the user sign in again.
 */
export type Refusal = 'denied' | 'failed' | 'invalid' | 'not_fresh'

/** Error codes of oauth4webapi for a fault in the callback's parameters, which the browser sends, not the upstream. */
const ABOUT_THE_CALLBACK = ['OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED']

/**
 * Whether an error refuses this one request: the upstream did, or openid-client does not accept the callback or the upstream's
 * answer (a wrong issuer, audience, nonce, signature, time, …).
 */
export function isRefusal(error: unknown): boolean {
  const failure = failureOf(error)
  if (failure) return failure.verdict === 'refused'
  const isOfTheLibrary = error instanceof ClientError && error.code !== undefined
  return isOfTheLibrary || error instanceof AuthorizationResponseError || error instanceof errors.JOSEError
}

/** Whether openid-client does not accept what the upstream answered. */
export function isUnacceptable(error: unknown): boolean {
  return !failureOf(error) && !(error instanceof AuthorizationResponseError) && !isAboutTheCallback(error)
}

/** A text for the log: the messages of the libraries, which quote nothing of the answer, or what the reader says. */
export function explain(error: unknown): string {
  const failure = failureOf(error)
  if (failure) return failure.detail
  if (error instanceof AuthorizationResponseError) {
    return /^[a-z_]{1,64}$/.test(error.error) ? `${error.message} (${error.error})` : error.message
  }
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

/** The fault for an upstream that cannot be asked. */
export function toUnavailable(upstreamId: string, error: unknown) {
  const retryAfterSeconds = failureOf(error)?.retryAfterSeconds
  return fault('unavailable', {
    detail: `upstream ${upstreamId}: ${explain(error)}`,
    cause: error,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds })
  })
}

/** The reason for a refusal. The upstream's own texts are left out, for they could hold anything. */
export function describeRefusal(error: unknown): Refusal {
  if (error instanceof AuthorizationResponseError) return error.error === 'access_denied' ? 'denied' : 'failed'
  return failureOf(error)?.asked === 'exchange' || isAboutTheCallback(error) ? 'invalid' : 'failed'
}

/** Whether the callback's state, nonce or issuer is not that of this attempt. */
function isAboutTheCallback(error: unknown): boolean {
  if (!(error instanceof Error) || !ABOUT_THE_CALLBACK.includes((error as { code?: string }).code ?? '')) return false
  const cause = causeOf(error) as { parameters?: unknown; claim?: string } | undefined
  return cause?.parameters !== undefined || cause?.claim === 'nonce'
}

/** The inner cause, because openid-client wraps the errors of oauth4webapi. */
function causeOf({ cause }: { cause?: unknown }): unknown {
  return cause instanceof Error ? (cause.cause ?? cause) : cause
}
