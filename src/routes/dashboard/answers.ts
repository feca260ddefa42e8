/** How the dashboard surface says that something went wrong: `{"error": sentence}`. A code without a row does not compile. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultCode } from '../../core/fault.js'
import { logFault, retryAfterOf, toFault } from '../to-fault.js'

const ANSWERS: Readonly<Record<FaultCode, { status: number; error: string }>> = {
  invalid_request: { status: 400, error: 'Bad Request' },
  unauthenticated: { status: 401, error: 'No jwt provided!' },
  invalid_token: { status: 401, error: 'The jwt is not valid.' },
  forbidden: { status: 403, error: 'Access Forbidden' },
  user_blocked: { status: 403, error: 'Access Forbidden' },
  refused_by_rule: { status: 403, error: 'Access Forbidden' },
  insufficient_user_authentication: { status: 401, error: 'The user has to sign in again.' },
  insufficient_scope: { status: 403, error: 'Access Forbidden' },
  not_found: { status: 404, error: 'Not Found' },
  unknown_user_code: { status: 404, error: 'Unknown or expired user_code.' },
  needs_reconnect: {
    status: 404,
    error: 'The provider no longer accepts this account: its user has to connect it again.'
  },
  conflict: { status: 409, error: 'Conflict' },
  invalid_scope: { status: 400, error: 'The scope is not allowed, or not written as one.' },
  invalid_target: { status: 400, error: 'The resource is unknown, or not allowed.' },
  // What only other surfaces can tell.
  token_not_valid: { status: 400, error: 'Bad Request' },
  invalid_client: { status: 401, error: 'Unknown client.' },
  invalid_grant: { status: 400, error: 'Bad Request' },
  unauthorized_client: { status: 403, error: 'Access Forbidden' },
  unsupported_grant_type: { status: 400, error: 'Bad Request' },
  unsupported_response_type: { status: 400, error: 'Bad Request' },
  method_not_allowed: { status: 405, error: 'Method Not Allowed' },
  request_timeout: { status: 408, error: 'Request Timeout' },
  payload_too_large: { status: 413, error: 'The body is too large.' },
  unsupported_media_type: { status: 415, error: 'The body must be application/json.' },
  too_many_requests: { status: 429, error: 'Too many requests. Please try again later.' },
  unavailable: { status: 503, error: 'Service Unavailable. Please try again.' },
  overloaded: { status: 503, error: 'Service Unavailable. Please try again.' },
  internal: { status: 500, error: 'Internal Server Error' }
}

export function answerFault(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toFault(thrown)
  const { code, hint } = problem
  const { status, error } = ANSWERS[code]
  logFault(problem, thrown, status, request)

  if (status === 401) reply.header('www-authenticate', challengeOf(code))
  if (status === 429 || status === 503) reply.header('retry-after', retryAfterOf(problem, request))
  const isExplained = hint !== undefined && (status === 400 || status === 409)
  const said = code === 'refused_by_rule' ? hint : undefined
  reply.code(status).send({ error: said ?? (isExplained ? `${hint}.` : error) })
}

/** A session that is good for anything else is told from none by what RFC 9470 §3 calls it. */
const challengeOf = (code: FaultCode) =>
  code === 'insufficient_user_authentication' ? `Bearer error="${code}"` : 'Bearer'
