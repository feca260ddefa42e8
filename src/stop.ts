/**
 * The graceful stop of an instance, in this order: readiness turns red, held polls are answered, the shutdown delay passes, the
 * port closes, requests under way finish, and the storage closes.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const SWEEP_EVERY_MS = 100
const QUIET_TURNS = 3
const QUIET_WITHIN_MS = 1_000
/** How long a connection may be open without a byte received before the stop closes it. */
const UNUSED_AFTER_MS = 1_000
/** `npm start` hands on a Ctrl-C that the terminal has sent to the service as well: within this time it is the same one. */
const SAME_INTERRUPT_MS = 1_000

/** Returns the function that stops the instance. Must be called before the server listens, so that it sees every connection. */
export function gracefulStop(app: FastifyInstance): () => Promise<void> {
  const closeUnused = followConnections(app.server)
  return async () => {
    app.readiness.drain()
    app.core.heldPolls.stop()
    await sleep(app.config.shutdownDelaySeconds * 1000)
    // An idle keep-alive connection, or one opened ahead of need, would keep the server open until its client closes it.
    const sweep = setInterval(() => {
      app.server.closeIdleConnections()
      closeUnused()
    }, SWEEP_EVERY_MS)
    try {
      await closePort(app.server)
      await app.close()
    } finally {
      clearInterval(sweep)
    }
  }
}

/** The handler of Ctrl-C at a terminal: the first one stops, another one, a second later or more, aborts. */
export function interruptHandler(stop: () => void, abort: () => void, clockMs = () => performance.now()): () => void {
  let firstAtMs: number | undefined
  return () => {
    if (firstAtMs === undefined) {
      firstAtMs = clockMs()
      stop()
    } else if (clockMs() - firstAtMs >= SAME_INTERRUPT_MS) {
      abort()
    }
  }
}

/**
 * Returns a function that closes connections on which nothing was received, as browsers and proxies open them ahead of need.
 * Node.js does not count these as idle, and once the port is closed it no longer applies its request timeouts to them either.
 */
function followConnections(server: Server): () => void {
  const openedAtMs = new Map<Socket, number>()
  server.on('connection', (socket) => {
    openedAtMs.set(socket, performance.now())
    socket.once('close', () => openedAtMs.delete(socket))
  })
  return () => {
    const beforeMs = performance.now() - UNUSED_AFTER_MS
    for (const [socket, atMs] of openedAtMs) if (atMs < beforeMs && socket.bytesRead === 0) socket.destroy()
  }
}

/**
 * Closes the port once no connection arrived for a few event-loop turns, and resolves when the last connection has ended. New
 * connections wait in the kernel's accept queue, which is drained one per turn; closing the port would reset those in it.
 */
async function closePort(server: Server): Promise<void> {
  if (!server.listening) return
  let quietTurns = 0
  const onConnection = () => {
    quietTurns = 0
  }
  server.on('connection', onConnection)
  const untilMs = performance.now() + QUIET_WITHIN_MS
  while (quietTurns < QUIET_TURNS && performance.now() < untilMs) {
    quietTurns++
    await turn()
  }
  const closed = new Promise((resolve) => server.close(resolve))
  server.off('connection', onConnection)
  await closed
}
