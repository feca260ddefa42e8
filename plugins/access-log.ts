/**
 * One line per request: method, route pattern, status, duration. Never a URL, a body or a header.
 * Routine traffic (a poll that brings nothing new, probes) is logged at debug: thousands of waiting clients say nothing.
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
  }
}

function levelOf(reply: FastifyReply): 'error' | 'debug' | 'info' {
  if (reply.isRoutine) return 'debug'
  if (reply.statusCode >= 500) return 'error'
  return reply.statusCode < 400 && reply.request.routeOptions.config?.routine ? 'debug' : 'info'
}

export const accessLog = fp(
  async (app) => {
    const logsDebug = ['trace', 'debug'].includes(app.log.level)
    app.decorateReply('isRoutine', false)
    app.addHook('onResponse', (request, reply, done) => {
      const level = levelOf(reply)
      if (level !== 'debug' || logsDebug) {
        const { method, routeOptions } = request
        const ms = Math.round(reply.elapsedTime * 10) / 10
        request.log[level](
          { reqId: request.id, method, route: routeOptions.url ?? 'none', status: reply.statusCode, ms },
          'answered'
        )
      }
      done()
    })
  },
  { name: 'access-log' }
)
