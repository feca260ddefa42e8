/**
 * app.unread: requests that wait for the rest of their body. plugins/overload.ts does not count them, so that they keep no whole
 * request out. They are bounded per address and in all, and the oldest are ended first, which requests whose body comes at once
 * never are. Answers that the client does not read are bounded too, for each connection.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

declare module 'fastify' {
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
/** How many requests of one connection may wait behind the one that is being answered. No client sends so many ahead. */
const MOST_PIPELINED = 32

/** Where a socket keeps the answers that wait until the one before them has been taken. */
const PIPELINED = Symbol('pipelined')

interface Pipelining extends Socket {
  [PIPELINED]?: ServerResponse[]
}

/** Made once each, because capturing a stack for every one would cost too much. The reader of bodies goes by the status. */
const late = (detail: string) => Object.assign(fault('request_timeout', { detail }), { statusCode: 408 })
const LATE_IN_ALL = late(`${MOST_IN_ALL} bodies wait`)
const LATE_OF_NETWORK = late(`${MOST_PER_NETWORK} bodies of one address wait`)

export const unread = fp(
  async (app) => {
    const { metrics, whereabouts } = app
    /** The oldest first. */
    const waiting = new Set<FastifyRequest>()
    /** Whose request it is, found out only when there are many. */
    const networks = new WeakMap<FastifyRequest, string>()
    let timer: NodeJS.Timeout | undefined

    function networkOf(request: FastifyRequest): string {
      const network = networks.get(request) ?? whereabouts.network(request)
      networks.set(request, network)
      return network
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
      waiting.delete(request)
      metrics.countUnreadEnded(why === LATE_IN_ALL ? 'body' : 'body per address')
      // Nobody listens any more where the client has just left.
      if (request.raw.listenerCount('error') > 0) request.raw.emit('error', why)
    }

    app.decorate('unread', { count: () => waiting.size, leave: (request) => waiting.delete(request) })
    metrics.watch('grantd_requests_unread', 'Requests that wait for the rest of their body.', () => waiting.size)

    app.addHook('preParsing', (request, _reply, _payload, done) => {
      const { headers, complete } = request.raw
      const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
      if (hasBody && !complete) waiting.add(request)
      // What has come while the process was held up is read before the turn of setImmediate.
      if (waiting.size > MOST_PER_NETWORK) timer ??= setTimeout(() => setImmediate(judge), JUDGED_AFTER_MS).unref()
      done()
    })
    app.addHook('onClose', async () => clearTimeout(timer))
    boundPipelines(app.server, () => metrics.countUnreadEnded('pipeline'))
  },
  { name: 'unread', dependencies: ['metrics', 'whereabouts'] }
)

/**
 * Ends a connection on which too many answers wait: Node.js has every request of a pipeline answered at once and keeps the
 * answers, however slowly they are taken. plugins/overload.ts drops what still comes of the connection.
 */
function boundPipelines(server: Server, countEnded: () => void): void {
  // Before the request is handled. Only an answer that waits behind another one has no socket yet.
  server.prependListener('request', ({ socket }: { socket: Pipelining } & IncomingMessage, answer: ServerResponse) => {
    if (answer.socket !== null || socket.destroyed) return
    const waiting = socket[PIPELINED] ?? waitingOn(socket)
    waiting.push(answer)
    answer.once('socket', isNext)
    if (waiting.length <= MOST_PIPELINED) return
    countEnded()
    socket.destroy()
  })
}

function waitingOn(socket: Pipelining): ServerResponse[] {
  const waiting: ServerResponse[] = []
  socket[PIPELINED] = waiting
  // Node.js tells only the answer that is being taken that its client has left; a file or a held poll behind it would stay.
  socket.once('close', () => {
    for (const answer of waiting) answer.destroy().emit('close')
  })
  return waiting
}

function isNext(socket: Pipelining): void {
  socket[PIPELINED]?.shift()
}
