/**
 * What is kept of every answer: one line in the log (method, route pattern, status, duration; never a URL, a body or a header), its
 * status, and how long it took if it is of an operation of the contract. Routine traffic (a poll that brings nothing new, probes)
 * is logged at debug: thousands of waiting clients say nothing.
 */
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A request that succeeds here is logged at debug. */
    routine?: boolean
  }
  interface FastifyReply {
    /** Set on an answer that is logged at debug whatever its status. Reading it costs less than looking up the route. */
    isRoutine: boolean
    /** Set on the answer of a poll that was held: its duration is that of the user's decision, not of the service. */
    wasHeld: boolean
  }
}

function levelOf(reply: FastifyReply): 'error' | 'debug' | 'info' {
  if (reply.isRoutine) return 'debug'
  if (reply.statusCode >= 500) return 'error'
  return reply.statusCode < 400 && reply.request.routeOptions.config?.routine ? 'debug' : 'info'
}

export const answers = fp(
  async (app) => {
    const { metrics, tracing } = app
    const logsDebug = ['trace', 'debug'].includes(app.log.level)
    app.decorateReply('isRoutine', false)
    app.decorateReply('wasHeld', false)
    app.addHook('onResponse', (request, reply, done) => {
      metrics.countAnswer(reply.statusCode)
      const level = levelOf(reply)
      if (level !== 'debug' || logsDebug) {
        const { method, routeOptions } = request
        const ms = Math.round(reply.elapsedTime * 10) / 10
        const ids = tracing?.idsOf(request)
        request.log[level](
          { reqId: request.id, method, route: routeOptions.url ?? 'none', status: reply.statusCode, ms, ...ids },
          'answered'
        )
      }
      done()
    })

    // Each route has a hook of its own that knows the operation: to look up the route of a request costs more than to count.
    app.addHook('onRoute', (route) => {
      const { operationId: operation } = (route.schema ?? {}) as { operationId?: string }
      if (operation === undefined) return
      route.onResponse = [
        ...[route.onResponse ?? []].flat(),
        (_request, reply, done) => {
          if (!reply.wasHeld) metrics.observeAnswer(operation, reply.elapsedTime / 1000)
          done()
        }
      ]
    })
  },
  { name: 'answers', dependencies: ['metrics', 'tracing'] }
)
