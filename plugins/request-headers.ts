/**
 * The headers of every answer: the id of its request, no sniffing, no storing unless a route sets another, and while the
 * instance drains `connection: close`. A request with two Host headers is refused (RFC 9112 §3.2): what stands in front may have
 * gone by the other one.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

export const requestHeaders = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      setRequestHeaders(request, reply)
      if (app.readiness.isDraining()) reply.header('connection', 'close')
      done(hasTwoHosts(request) ? fault('invalid_request', { hint: 'There is more than one Host header' }) : undefined)
    })
  },
  { name: 'request-headers', dependencies: ['readiness'] }
)

/** Node.js keeps the first of them and drops the others, but for the list of all headers as they came. */
function hasTwoHosts({ raw: { rawHeaders } }: FastifyRequest): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1
  }
  return count > 1
}

/** Also for answers to requests that no hook sees. */
export function setRequestHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id)
  reply.header('x-content-type-options', 'nosniff')
  reply.header('cache-control', 'no-store')
}
