/** Answers to what never reaches a route: no hook runs for it, so its headers are set here. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { fault } from '../core/fault.js'
import { answerFault } from './dashboard/answers.js'
import { answerTokensApiFault } from './tokens-api/answers.js'

/** Paths whose answers have the shape of the tokens API. */
const OF_TOKENS_API = /^[^?]*(\/v1\/|\/\.well-known\/)/

/** Answers a program that asks for a path without a route. */
export function answerNowhere(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  answerFault(fault('not_found'), request, reply)
  return reply
}

/** Makes the answer to a URL that cannot be decoded, with the headers that every answer carries. */
export function answerUnroutable(setHeaders: (request: FastifyRequest, reply: FastifyReply) => void) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    setHeaders(request, reply)
    const answer = OF_TOKENS_API.test(request.url) ? answerTokensApiFault : answerFault
    answer(error, request, reply)
  }
}

const STATUSES: Readonly<Record<string, number>> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 }

/** Answers bytes that are no HTTP request, too large a header, or a request that arrives too slowly. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (socket.writable) {
    const status = STATUSES[error.code ?? ''] ?? 400
    const body = JSON.stringify({ error: STATUS_CODES[status] })
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Cache-Control: no-store\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
  }
  socket.destroy(error)
}
