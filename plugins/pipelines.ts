/**
 * Bounds the requests that a connection sends ahead: Node.js has every one of them answered at once and keeps the answers, however
 * slowly they are taken. A connection on which too many answers wait is ended.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'

/** How many requests of one connection may wait behind the one that is being answered. No client sends so many ahead. */
const MOST_PIPELINED = 32

/** Where a socket keeps the answers that wait until the one before them has been taken. */
const PIPELINED = Symbol('pipelined')

interface Pipelining extends Socket {
  [PIPELINED]?: ServerResponse[]
}

export const pipelines = fp(
  async (app) => {
    const { metrics } = app
    // Before the request is handled; plugins/overload.ts drops what still comes. Only an answer that waits behind another one has
    // no socket yet.
    app.server.prependListener(
      'request',
      ({ socket }: IncomingMessage & { socket: Pipelining }, answer: ServerResponse) => {
        if (answer.socket !== null || socket.destroyed) return
        const waiting = socket[PIPELINED] ?? waitingOn(socket)
        waiting.push(answer)
        answer.once('socket', isNext)
        if (waiting.length <= MOST_PIPELINED) return
        metrics.countUnreadEnded('pipeline')
        socket.destroy()
      }
    )
  },
  { name: 'pipelines', dependencies: ['metrics'] }
)

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
