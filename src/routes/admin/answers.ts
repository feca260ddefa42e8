/** How the admin API says that something went wrong: `{"error": sentence}`. A code without a row does not compile. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultCode } from '../../core/fault.js'
import { logFault, retryAfterOf, toFault } from '../to-fault.js'

const NO_KEY = { status: 401, error: 'The API key is not valid.' }
const NOT_VALID = { status: 400, error: 'The request is not valid.' }
const NOTHING = { status: 404, error: 'There is no such thing.' }
const NOT_NOW = { status: 503, error: 'This is not possible right now. Please try again.' }

const ANSWERS: Readonly<Record<FaultCode, { status: number; error: string }>> = {
  invalid_request: NOT_VALID,
  unauthenticated: { status: 401, error: 'An API key is needed.' },
  invalid_token: NO_KEY,
  forbidden: { status: 403, error: 'The API key does not have the right to this.' },
  not_found: NOTHING,
  method_not_allowed: { status: 405, error: 'The method is not allowed here.' },
  request_timeout: { status: 408, error: 'The request did not arrive in time.' },
  conflict: { status: 409, error: 'There is one like it already.' },
  payload_too_large: { status: 413, error: 'The body is too large.' },
  unsupported_media_type: { status: 415, error: 'The body must be application/json.' },
  too_many_requests: { status: 429, error: 'Too many requests. Please try again later.' },
  unavailable: NOT_NOW,
  overloaded: NOT_NOW,
  internal: { status: 500, error: 'Something went wrong here.' },
  // Only other surfaces have these, but the table has a row for every code.
  user_blocked: NO_KEY,
  refused_by_rule: NO_KEY,
  insufficient_user_authentication: NO_KEY,
  insufficient_scope: NO_KEY,
  invalid_client: NO_KEY,
  unauthorized_client: NO_KEY,
  unknown_user_code: NOTHING,
  needs_reconnect: NOTHING,
  token_not_valid: NOT_VALID,
  invalid_grant: NOT_VALID,
  invalid_scope: NOT_VALID,
  invalid_target: NOT_VALID,
  unsupported_grant_type: NOT_VALID,
  unsupported_response_type: NOT_VALID
}

export function answerAdminFault(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toFault(thrown)
  const { code, hint } = problem
  const { status, error } = ANSWERS[code]
  logFault(problem, thrown, status, request)

  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 429 || status === 503) reply.header('retry-after', retryAfterOf(problem, request))
  reply.code(status).send({ error: hint && (status === 400 || status === 409) ? `${hint}.` : error })
}
