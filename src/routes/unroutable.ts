/** Answers to what reaches no route: a path that leads nowhere, a URL that cannot be decoded, bytes that are no request. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { adminPrefix } from '../../schemas/generated/admin.js'
import { dashboardPrefix } from '../../schemas/generated/dashboard.js'
import { fault } from '../core/fault.js'
import { basePathOf } from './app.js'
import { answerFault } from './dashboard/answers.js'
import { answerTokensApiFault } from './tokens-api/answers.js'

/** Paths whose answers have the shape of the tokens API. */
const OF_TOKENS_API = /^[^?]*(\/v1\/|\/\.well-known\/)/
/** The first parts of the paths that programs call. The documents of issuers are below an id. */
const APIS = ['api', 'oauth', 'v1', '.well-known']
/** The APIs of which a malformed id in a path is 404, as any that is unknown: also one that cannot be decoded. */
const OF_MALFORMED_IDS = [dashboardPrefix, adminPrefix]
/** Where a URL that cannot be decoded is routed instead. It leads nowhere whatever the routes are, since they know no `%`. */
const NOWHERE = '/%25'
/** Where a request keeps what the router said of its URL. */
const UNDECODABLE = Symbol('undecodable')

type Kept = FastifyRequest['raw'] & { [UNDECODABLE]?: unknown }

/** Whether a path, known or not, is one of those that programs alone call. `base` is the path of PUBLIC_URL. */
export function isOfAnApi(url: string, base: string): boolean {
  const [first = '', ...others] = pathOf(url, base).slice(1).split('/')
  // Beside the admin API there may be pages.
  const isOfAdminApi = first === 'admin' && others[0] === 'v0'
  return APIS.includes(first) || isOfAdminApi || others.includes('.well-known')
}

/** The path of a URL without the base, where it has that. */
function pathOf(url: string, base: string): string {
  const [path = ''] = url.split('?', 1)
  return path.startsWith(`${base}/`) ? path.slice(base.length) : path
}

/**
 * Whether a program asks for a path without a route, so that whatever is wrong is said in JSON. Browsers prefer text/html, programs name
 * JSON or accept anything.
 */
export function isStrayProgram(request: FastifyRequest): boolean {
  if (!request.is404) return false
  const isOfBrowsers = !isOfAnApi(request.url, basePathOf(request.server.config.publicUrl))
  return !isOfBrowsers || request.accepts().type(['json', 'html']) !== 'html'
}

/** Why a request has no route: its URL cannot be decoded, or there is nothing at its path. */
export function whyNowhere({ raw }: FastifyRequest): unknown {
  return (raw as Kept)[UNDECODABLE] ?? fault('not_found')
}

/** Answers a program that asks for a path without a route. */
export function answerNowhere(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  answerFault(whyNowhere(request), request, reply)
  return reply
}

/**
 * Makes the answer to a URL that cannot be decoded. Below the APIs of which a malformed id is 404 it is that of an unknown path.
 * Below any other it is given here, where no hook has run, with the headers that every answer carries; elsewhere it is made where
 * people are known from programs.
 */
export function answerUnroutable(base: string, setHeaders: (request: FastifyRequest, reply: FastifyReply) => void) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const raw: Kept = request.raw
    const path = pathOf(request.url, base)
    const api = OF_MALFORMED_IDS.find((prefix) => path.startsWith(`${prefix}/`))
    if (api !== undefined) {
      raw.url = api + NOWHERE
      request.server.routing(raw, reply.raw)
      return
    }
    if (!isOfAnApi(request.url, base) && !(UNDECODABLE in raw)) {
      raw[UNDECODABLE] = error
      raw.url = NOWHERE
      request.server.routing(raw, reply.raw)
      return
    }
    setHeaders(request, reply)
    const answer = OF_TOKENS_API.test(request.url) ? answerTokensApiFault : answerFault
    answer(error, request, reply)
  }
}

const STATUSES: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }

/** Makes the answer to bytes that are no HTTP request, to too large a header, and to a request that arrives too slowly. */
export function answerUnreadable(headers: readonly (readonly [name: string, value: string])[]) {
  const always = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return
    const status = STATUSES[error.code ?? ''] ?? 400
    const body = JSON.stringify({ error: STATUS_CODES[status] })
    const first = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n`
    if (socket.writable) socket.write(`${first}${always}Content-Length: ${body.length}\r\n\r\n${body}`)
    socket.destroy(error)
  }
}
