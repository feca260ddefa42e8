/** How the tokens API says that something went wrong: `{"code", "message"}`. A code without a row does not compile. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FaultCode } from '../../core/fault.js'
import { logFault, retryAfterOf, toFault } from '../to-fault.js'

interface Answer {
  status: number
  code: string
  message: string
}

const ANSWERS: Readonly<Record<FaultCode, Answer>> = {
  invalid_request: { status: 400, code: 'bad_request', message: 'The request is not valid.' },
  token_not_valid: { status: 400, code: 'invalid_token', message: 'The token is not valid.' },
  unauthenticated: { status: 401, code: 'unauthorized', message: 'An API key is needed.' },
  invalid_token: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  forbidden: { status: 403, code: 'forbidden', message: 'The API key does not have the right tokens.' },
  not_found: { status: 404, code: 'not_found', message: 'There is no such thing.' },
  method_not_allowed: { status: 405, code: 'method_not_allowed', message: 'The method is not allowed here.' },
  request_timeout: { status: 408, code: 'request_timeout', message: 'The request did not arrive in time.' },
  conflict: { status: 409, code: 'conflict', message: 'There is one like it already.' },
  payload_too_large: { status: 413, code: 'payload_too_large', message: 'The body is too large.' },
  unsupported_media_type: {
    status: 415,
    code: 'unsupported_media_type',
    message: 'The body must be application/json.'
  },
  too_many_requests: { status: 429, code: 'too_many_requests', message: 'Too many requests. Please try again later.' },
  unavailable: { status: 503, code: 'unavailable', message: 'This is not possible right now. Please try again.' },
  overloaded: { status: 503, code: 'unavailable', message: 'This is not possible right now. Please try again.' },
  internal: { status: 500, code: 'internal_error', message: 'Something went wrong here.' },
  // Only other surfaces have these, but the table has a row for every code.
  refused_by_rule: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  insufficient_user_authentication: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  user_blocked: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  insufficient_scope: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  unknown_user_code: { status: 404, code: 'not_found', message: 'There is no such thing.' },
  needs_reconnect: { status: 404, code: 'not_found', message: 'There is no such thing.' },
  invalid_client: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  invalid_grant: { status: 400, code: 'bad_request', message: 'The request is not valid.' },
  invalid_scope: { status: 400, code: 'bad_request', message: 'The request is not valid.' },
  invalid_target: { status: 400, code: 'bad_request', message: 'The request is not valid.' },
  unauthorized_client: { status: 401, code: 'unauthorized', message: 'The API key is not valid.' },
  unsupported_grant_type: { status: 400, code: 'bad_request', message: 'The request is not valid.' },
  unsupported_response_type: { status: 400, code: 'bad_request', message: 'The request is not valid.' }
}

export function answerTokensApiFault(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toFault(thrown)
  const { status, code, message } = ANSWERS[problem.code]
  logFault(problem, thrown, status, request)

  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 429 || status === 503) reply.header('retry-after', retryAfterOf(problem, request))
  const isExplained = problem.hint !== undefined && (status === 400 || status === 409)
  reply.code(status).send({ code, message: isExplained ? `${problem.hint}.` : message })
}
