/**
 * How the OAuth surface says that something went wrong: RFC 6749 §5.2, and RFC 6750 §3 to callers that brought an access token.
 * A code without a row does not compile.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { OAuthErrorCode } from '../../../schemas/generated/oauth.js'
import type { Fault, FaultCode } from '../../core/fault.js'
import { logFault, retryAfterOf, toFault } from '../to-fault.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set where an access token proves who asks (RFC 6750). */
    takesAccessToken?: boolean
    /** Set where either a client or an API key proves who asks: every refusal of them says how, whatever they sent. */
    takesClientOrKey?: boolean
  }
}

const REALM = 'realm="grantd"'

interface Answer {
  status: number
  /** Absent where no token was sent: RFC 6750 §3 then names no error. */
  error?: OAuthErrorCode
  /** In the characters of RFC 6749 §5.2: no quotes, no backslashes. */
  description?: string
  challenge?: string
}

const ANSWERS: Readonly<Record<FaultCode, Answer>> = {
  invalid_request: { status: 400, error: 'invalid_request' },
  unauthenticated: { status: 401, challenge: `Bearer ${REALM}` },
  invalid_token: {
    status: 401,
    error: 'invalid_token',
    description: 'The access token is not valid.',
    challenge: `Bearer ${REALM}, error="invalid_token"`
  },
  forbidden: {
    status: 403,
    error: 'insufficient_scope',
    description: 'The API key does not have the right introspect.',
    challenge: `Bearer ${REALM}, error="insufficient_scope"`
  },
  user_blocked: { status: 403, error: 'access_denied' },
  // No user answers on this surface.
  refused_by_rule: { status: 403, error: 'access_denied' },
  insufficient_user_authentication: { status: 401, error: 'invalid_token' },
  insufficient_scope: { status: 403, error: 'insufficient_scope' },
  not_found: { status: 404, error: 'invalid_request', description: 'There is nothing here.' },
  unknown_user_code: { status: 404, error: 'invalid_request' },
  needs_reconnect: { status: 404, error: 'invalid_request' },
  conflict: { status: 409, error: 'invalid_request' },
  token_not_valid: { status: 400, error: 'invalid_request' },
  invalid_client: { status: 401, error: 'invalid_client', description: 'Client authentication failed.' },
  invalid_grant: { status: 400, error: 'invalid_grant', description: 'The refresh token is not valid.' },
  invalid_scope: {
    status: 400,
    error: 'invalid_scope',
    description: 'The scope is not allowed, or not written as one.'
  },
  invalid_target: {
    status: 400,
    error: 'invalid_target',
    description: 'The resource is unknown, or not allowed.'
  },
  unauthorized_client: { status: 400, error: 'unauthorized_client', description: 'The client may not use this grant.' },
  unsupported_grant_type: { status: 400, error: 'unsupported_grant_type' },
  unsupported_response_type: {
    status: 400,
    error: 'unsupported_response_type',
    description: 'There is nothing to authorize here: start at the device authorization endpoint.'
  },
  method_not_allowed: { status: 405, error: 'invalid_request', description: 'The method is not allowed here.' },
  request_timeout: { status: 408, error: 'invalid_request', description: 'The request did not arrive in time.' },
  payload_too_large: { status: 413, error: 'invalid_request', description: 'The body is too large.' },
  unsupported_media_type: {
    status: 415,
    error: 'invalid_request',
    description: 'The body must be application/x-www-form-urlencoded or application/json, in UTF-8.'
  },
  too_many_requests: { status: 429, error: 'temporarily_unavailable', description: 'Too many requests.' },
  unavailable: { status: 503, error: 'temporarily_unavailable' },
  overloaded: { status: 503, error: 'temporarily_unavailable' },
  internal: { status: 500, error: 'server_error' }
}

const SLOW_DOWN: Answer = { status: 400, error: 'slow_down', description: 'Too many requests.' }

export function answerOAuthFault(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toFault(thrown)
  const isPolled = request.routeOptions.config?.isPolled === true
  // Clients that poll obey a `slow_down`, and give up at a 429.
  const answer = isPolled && problem.code === 'too_many_requests' ? SLOW_DOWN : ANSWERS[problem.code]
  logFault(problem, thrown, answer.status, request)

  const challenge = answer.challenge ?? challengeOf(problem, request)
  if (challenge !== undefined) reply.header('www-authenticate', challenge)
  if (answer.status === 429 || answer.status === 503 || answer === SLOW_DOWN) {
    reply.header('retry-after', retryAfterOf(problem, request))
  }
  const isExplained = answer.status === 400 || problem.code === 'invalid_client'
  const hint = isExplained ? (explain(thrown, request) ?? problem.hint) : undefined
  const missing = problem.scope === undefined ? undefined : `The access token does not have the scope ${problem.scope}.`
  const description = hint === undefined ? (missing ?? answer.description) : `${hint}.`
  reply.code(answer.status).send({
    ...(answer.error && { error: answer.error }),
    ...(description !== undefined && { error_description: description })
  })
}

function challengeOf({ code, scope }: Fault, { headers, routeOptions }: FastifyRequest): string | undefined {
  if (code === 'insufficient_scope') return `Bearer ${REALM}, error="${code}", scope="${scope}"`
  // RFC 6750 §3: the challenge also says what is wrong with the way an access token was sent.
  if (code === 'invalid_request' && routeOptions.config?.takesAccessToken) return `Bearer ${REALM}, error="${code}"`
  if (code !== 'invalid_client') return undefined
  // RFC 6749 §5.2: a challenge is due to clients that authenticated by header. Public clients give up at one.
  if (headers.authorization !== undefined) return `Basic ${REALM}`
  // No public client asks there, and RFC 9110 §15.5.2 has a challenge in every 401.
  return routeOptions.config?.takesClientOrKey ? `Basic ${REALM}, Bearer ${REALM}` : undefined
}

/** Explains what the JSON validator puts badly: a form gives a list for a parameter that is repeated (RFC 6749 §3.2). */
function explain(thrown: unknown, { body }: FastifyRequest): string | undefined {
  const { validation } = thrown as { validation?: { instancePath: string }[] }
  const name = validation?.[0]?.instancePath.slice(1)
  const value = name === undefined ? undefined : (body as Record<string, unknown> | null)?.[name]
  return Array.isArray(value) && value.length > 1 ? `${name} is there more than once` : undefined
}
