/**
 * Refuses requests while there is more to do than this instance can: what is let in is answered in time, and the rest is told
 * at once to come again. How many are under way is what counts; how late the event loop is would say it too late, and would
 * go on saying it as long as clients that do not wait are refused. Probes and metrics are always answered.
 */
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Those who run the service need it most when there is too much to do. */
    isVital?: boolean
  }
}

/** How many requests of a connection are under way. */
const OPEN = Symbol('open')

interface Counted extends Socket {
  [OPEN]?: number
}

/** Held polls apart, which only wait. At some 50 µs of a core for each that is a tenth of a second of work. */
const MOST_UNDER_WAY = 2_000
/** What connections there may be beside those of held polls. One that says nothing, or slowly, is ended after ten seconds. */
const MOST_CONNECTIONS = 10_000
const LOOK_AGAIN_AFTER_MS = 1_000

/** Made once: a stack for each of very many would be work as well. */
const OVERLOADED = fault('overloaded', { detail: `${MOST_UNDER_WAY} requests are under way` })

export const overload = fp(
  async (app) => {
    const { config, log, metrics } = app
    const { heldPolls } = app.core
    let open = 0
    let shedLately = 0
    app.server.maxConnections = MOST_CONNECTIONS + config.heldPolls
    metrics.watch('grantd_requests_under_way', 'Requests that are being answered; held polls are not.', underWay)

    app.addHook('onResponse', (request, _reply, done) => {
      const socket: Counted = request.raw.socket
      if (socket[OPEN]) {
        socket[OPEN] -= 1
        open -= 1
      }
      done()
    })
    // An answer whose client has gone never finishes, and nothing more is said of it.
    app.server.on('connection', (socket: Counted) => {
      socket.once('close', () => {
        open -= socket[OPEN] ?? 0
        socket[OPEN] = 0
      })
    })

    function underWay(): number {
      return open - heldPolls.count()
    }

    app.addHook('onRequest', (request, reply, done) => {
      open += 1
      const socket: Counted = request.raw.socket
      socket[OPEN] = (socket[OPEN] ?? 0) + 1
      if (underWay() <= MOST_UNDER_WAY || request.routeOptions.config.isVital) return done()
      metrics.countShed()
      reply.isRoutine = true
      if (shedLately++ === 0) log.warn('overloaded: requests are refused')
      done(OVERLOADED)
    })

    /** One line when it begins and one when it ends, not one for each request. */
    let shedBefore = 0
    const timer = setInterval(() => {
      if (shedLately > 0 && shedLately === shedBefore) {
        log.info(`not overloaded any more: ${shedLately} requests were refused`)
        shedLately = 0
      }
      shedBefore = shedLately
    }, LOOK_AGAIN_AFTER_MS).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'overload', dependencies: ['config', 'metrics', 'access-log', 'core'] }
)
