/**
 * The headers of every answer: the id of its request, no sniffing, no storing unless a route sets another, and while the
 * instance drains `connection: close`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

export const requestHeaders = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      setRequestHeaders(request, reply)
      if (app.readiness.isDraining()) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'request-headers', dependencies: ['readiness'] }
)

/** Also for answers to requests that no hook sees. */
export function setRequestHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id)
  reply.header('x-content-type-options', 'nosniff')
  reply.header('cache-control', 'no-store')
}
