/**
 * Load shedding: refuses requests at once while too many are under way, so that those that are let in are answered in time.
 * The number of requests is the measure, because the lag of the event loop rises too late, and stays high as long as impatient
 * clients are refused. Probes and metrics are always answered. Bodies that are still to come are counted by unread.ts.
 */
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Never refused: operators need it most under overload. */
    isVital?: boolean
  }
}

/** Where a socket keeps how many of its requests are under way. */
const OPEN = Symbol('open')

interface Counted extends Socket {
  [OPEN]?: number
}

/** Held polls are not counted, for they only wait. At some 50 µs of a core for each that is a tenth of a second of work. */
const MOST_UNDER_WAY = 2_000
/** The cap on connections, beside those of held polls. One more ends the oldest that nothing is under way on. */
const MOST_CONNECTIONS = 10_000
/** How far beyond the cap connections may be, while those that were ended for it close. */
const MOST_CLOSING = 1_000
const LOOK_AGAIN_AFTER_MS = 1_000

/** Made once, because capturing a stack for every refusal would cost too much. */
const OVERLOADED = fault('overloaded', { detail: `${MOST_UNDER_WAY} requests are under way` })

export const overload = fp(
  async (app) => {
    const { config, log, metrics, unread } = app
    const { heldPolls } = app.core
    const mostConnections = MOST_CONNECTIONS + config.heldPolls
    /** Both in the order of age. */
    const connections = new Set<Counted>()
    /** Those that brought no request yet. */
    const silent = new Set<Counted>()
    let open = 0
    let shedLately = 0
    app.server.maxConnections = mostConnections + MOST_CLOSING
    metrics.watch('grantd_connections', 'Open connections.', () => connections.size)
    metrics.watch('grantd_requests_under_way', 'Requests that are being answered; held polls are not.', underWay)

    // A request is under way until its answer is made: how fast a client takes the answer costs no work.
    app.addHook('onSend', (request, _reply, _payload, done) => {
      unread.leave(request)
      const socket: Counted = request.raw.socket
      if (socket[OPEN]) {
        socket[OPEN] -= 1
        open -= 1
      }
      done()
    })

    app.server.on('connection', (socket: Counted) => {
      connections.add(socket)
      silent.add(socket)
      // Who leaves waits for no answer, and the work that is left for it may take its time.
      socket.once('close', () => {
        connections.delete(socket)
        silent.delete(socket)
        open -= socket[OPEN] ?? 0
        socket[OPEN] = 0
      })
      if (connections.size > mostConnections) endOldestBut(socket)
    })

    /** Those that brought no request go first, so that nobody who only connects keeps out those who ask. */
    function endOldestBut(newcomer: Socket): void {
      for (const candidates of [silent, connections]) {
        for (const socket of candidates) {
          if (socket[OPEN] || socket.destroyed || socket === newcomer) continue
          metrics.countUnreadEnded('connection')
          socket.destroy()
          return
        }
      }
    }

    function underWay(): number {
      return open - heldPolls.count() - unread.count()
    }

    app.addHook('onRequest', (request, reply, done) => {
      const socket: Counted = request.raw.socket
      // What was sent ahead on a connection that has been ended is not worked on.
      if (socket.destroyed) return
      open += 1
      if (socket[OPEN] === undefined) silent.delete(socket)
      socket[OPEN] = (socket[OPEN] ?? 0) + 1
      done(isShed(request, reply) ? OVERLOADED : undefined)
    })
    // A request whose body was waited for is under way from here on.
    app.addHook('preValidation', (request, reply, done) => {
      done(unread.leave(request) && isShed(request, reply) ? OVERLOADED : undefined)
    })

    function isShed(request: FastifyRequest, reply: FastifyReply): boolean {
      if (underWay() <= MOST_UNDER_WAY || request.routeOptions.config.isVital) return false
      metrics.countShed()
      reply.isRoutine = true
      if (shedLately++ === 0) log.warn('overloaded: requests are refused')
      return true
    }

    /** What the sweep before saw. The log has a line when shedding begins and one when it ends, not one for each request. */
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
  // A refusal is counted and logged by the hooks of `answers`, and carries the headers of every answer.
  {
    name: 'overload',
    dependencies: ['config', 'metrics', 'core', 'answer-headers', 'answers', 'unread']
  }
)
