/** The error pages: one row for every fault code; a missing row does not compile. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { VNode } from 'preact'
import { renderToString } from 'preact-render-to-string'
import type { FaultCode } from '../../core/fault.js'
import { answerFault } from '../dashboard/answers.js'
import { logFault, retryAfterOf, toFault } from '../to-fault.js'
import { isStrayProgram } from '../unroutable.js'
import type { Texts } from './texts/en.js'
import { ErrorPage } from './views/error-page.js'
import { wait } from './views/format.js'
import type { Visit, Visits } from './visit.js'

type Sentence = Exclude<keyof Texts['error'], 'title' | 'signInFailed' | 'lostCookies' | 'reference' | 'home'>

const ANSWERS: Readonly<Record<FaultCode, { status: number; text: Sentence }>> = {
  invalid_request: { status: 400, text: 'badRequest' },
  forbidden: { status: 403, text: 'form' },
  user_blocked: { status: 403, text: 'blocked' },
  not_found: { status: 404, text: 'notFound' },
  method_not_allowed: { status: 405, text: 'method' },
  request_timeout: { status: 408, text: 'badRequest' },
  payload_too_large: { status: 413, text: 'badRequest' },
  unsupported_media_type: { status: 415, text: 'badRequest' },
  too_many_requests: { status: 429, text: 'tooMany' },
  unavailable: { status: 503, text: 'unavailable' },
  overloaded: { status: 503, text: 'unavailable' },
  internal: { status: 500, text: 'internal' },
  // These faults occur only on the APIs.
  refused_by_rule: { status: 403, text: 'forbidden' },
  insufficient_user_authentication: { status: 401, text: 'forbidden' },
  unauthenticated: { status: 401, text: 'forbidden' },
  invalid_token: { status: 401, text: 'forbidden' },
  insufficient_scope: { status: 403, text: 'forbidden' },
  unknown_user_code: { status: 404, text: 'notFound' },
  needs_reconnect: { status: 404, text: 'notFound' },
  conflict: { status: 409, text: 'badRequest' },
  token_not_valid: { status: 400, text: 'badRequest' },
  invalid_client: { status: 401, text: 'forbidden' },
  invalid_grant: { status: 400, text: 'badRequest' },
  invalid_scope: { status: 400, text: 'badRequest' },
  invalid_target: { status: 400, text: 'badRequest' },
  unauthorized_client: { status: 403, text: 'forbidden' },
  unsupported_grant_type: { status: 400, text: 'badRequest' },
  unsupported_response_type: { status: 400, text: 'badRequest' }
}

/** Answers a failed request. If it failed before its visitor was looked up, the page is rendered for nobody in particular. */
export function answerPageFault({ ofNobody, hasLostCookies }: Visits) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    if (isStrayProgram(request)) return answerFault(thrown, request, reply)
    const problem = toFault(thrown)
    const { status, text } = ANSWERS[problem.code]
    logFault(problem, thrown, status, request)
    const retryAfterSeconds = retryAfterOf(problem, request)
    if (status === 429 || status === 503) reply.header('retry-after', retryAfterSeconds)
    const visit = request.visit ?? ofNobody(request)
    const sentence = sentenceOf(visit, text, retryAfterSeconds, request)
    const reference = status >= 500 ? request.id : undefined
    sendPage(reply.code(status), ErrorPage, { visit, sentence, reference })
  }

  function sentenceOf(visit: Visit, text: Sentence, retryAfterSeconds: number, request: FastifyRequest): string {
    const { error } = visit.texts
    if (text === 'tooMany') return error.tooMany(wait(visit, retryAfterSeconds))
    return text === 'form' && hasLostCookies(request) ? error.lostCookies : error[text]
  }
}

/** Renders a view and sends it as the page. */
export function sendPage<P>(reply: FastifyReply, view: (props: P) => VNode, props: P): FastifyReply {
  return reply.type('text/html; charset=utf-8').send(`<!doctype html>${renderToString(view(props))}`)
}
