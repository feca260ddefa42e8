/**
 * app.unread: requests that wait for the rest of their body. plugins/overload.ts does not count them, so that they keep no whole
 * request out. They are bounded per address and in all, and the oldest are ended first, which requests whose body comes at once
 * never are.
 */
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether it waits for the rest of its body. */
    isUnread: boolean
  }
  interface FastifyInstance {
    unread: {
      /** How many requests wait for the rest of their body. */
      count(): number
      /** Called when the body of a request has come, or it is answered without. True if it waited until now. */
      leave(request: FastifyRequest): boolean
    }
  }
}

const MOST_IN_ALL = 1_000
const MOST_PER_NETWORK = 100
/** A body that comes at once has come by then. */
const JUDGED_AFTER_MS = 25

/** Made once each, because capturing a stack for every one would cost too much. The reader of bodies goes by the status. */
const late = (detail: string) => Object.assign(fault('request_timeout', { detail }), { statusCode: 408 })
const LATE_IN_ALL = late(`${MOST_IN_ALL} bodies wait`)
const LATE_OF_NETWORK = late(`${MOST_PER_NETWORK} bodies of one address wait`)

export const unread = fp(
  async (app) => {
    const { metrics, whereabouts } = app
    /** Those whose body has not come in the turn in which they came, the oldest first. Most bodies have, and cost no more than a flag. */
    const waiting = new Set<FastifyRequest>()
    let ofThisTurn: FastifyRequest[] = []
    let count = 0
    /** Whose request it is, found out only when there are many. */
    const networks = new WeakMap<FastifyRequest, string>()
    let timer: NodeJS.Timeout | undefined

    function networkOf(request: FastifyRequest): string {
      const network = networks.get(request) ?? whereabouts.network(request)
      networks.set(request, network)
      return network
    }

    function leave(request: FastifyRequest): boolean {
      if (!request.isUnread) return false
      request.isUnread = false
      count -= 1
      waiting.delete(request)
      return true
    }

    function endTurn(): void {
      for (const request of ofThisTurn) if (request.isUnread) waiting.add(request)
      ofThisTurn = []
      // What has come while the process was held up is read before the turn of setImmediate.
      if (waiting.size > MOST_PER_NETWORK) timer ??= setTimeout(() => setImmediate(judge), JUDGED_AFTER_MS).unref()
    }

    /** Ends whatever is beyond a bound: the oldest of each address, then the oldest of all. */
    function judge(): void {
      timer = undefined
      const counts = new Map<string, number>()
      for (const request of [...waiting].reverse()) {
        const network = networkOf(request)
        const count = (counts.get(network) ?? 0) + 1
        counts.set(network, count)
        if (count > MOST_PER_NETWORK) end(request, LATE_OF_NETWORK)
      }
      for (const request of waiting) {
        if (waiting.size <= MOST_IN_ALL) return
        end(request, LATE_IN_ALL)
      }
    }

    /** Answers a request as if its body could not be read: with 408, after which its connection is closed. */
    function end(request: FastifyRequest, why: typeof LATE_IN_ALL): void {
      leave(request)
      metrics.countUnreadEnded(why === LATE_IN_ALL ? 'body' : 'body per address')
      // Nobody listens any more where the client has just left.
      if (request.raw.listenerCount('error') > 0) request.raw.emit('error', why)
    }

    app.decorateRequest('isUnread', false)
    app.decorate('unread', { count: () => count, leave })
    metrics.watch('grantd_requests_unread', 'Requests that wait for the rest of their body.', () => count)

    app.addHook('preParsing', (request, _reply, _payload, done) => {
      const { headers, complete } = request.raw
      const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
      if (hasBody && !complete) {
        request.isUnread = true
        count += 1
        if (ofThisTurn.push(request) === 1) setImmediate(endTurn)
      }
      done()
    })
    app.addHook('onClose', async () => clearTimeout(timer))
  },
  { name: 'unread', dependencies: ['metrics', 'whereabouts'] }
)
