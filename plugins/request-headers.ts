/** What every answer carries: the id of its request, no sniffing, and while the instance drains a goodbye to the connection. */
import fp from 'fastify-plugin'

export const requestHeaders = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id)
      reply.header('x-content-type-options', 'nosniff')
      if (app.readiness.isDraining()) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'request-headers', dependencies: ['readiness'] }
)
