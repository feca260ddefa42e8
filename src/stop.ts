/** How an instance leaves: not ready first, held polls answered, then no new connections, then what is under way, then Redis. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const SWEEP_EVERY_MS = 100
const QUIET_TURNS = 3
const QUIET_WITHIN_MS = 1_000
/** Whoever has something to ask has begun to by then. */
const UNUSED_AFTER_MS = 1_000

/** What will stop the instance. To be called before it listens, so that no connection is missed. */
export function gracefulStop(app: FastifyInstance): () => Promise<void> {
  const closeUnused = followConnections(app.server)
  return async () => {
    app.readiness.drain()
    app.core.heldPolls.stop()
    await sleep(app.config.shutdownDelaySeconds * 1000)
    // A connection that is kept, for later or just in case, would hold the server open until its client leaves.
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

/**
 * Answers with what closes the connections on which nothing has come yet, as browsers and proxies open them ahead of need. For
 * Node they are not idle but about to ask, and from the moment the port closes no time-out ends them either.
 */
function followConnections(server: Server): () => void {
  const openedAt = new Map<Socket, number>()
  server.on('connection', (socket) => {
    openedAt.set(socket, performance.now())
    socket.once('close', () => openedAt.delete(socket))
  })
  return () => {
    const before = performance.now() - UNUSED_AFTER_MS
    for (const [socket, at] of openedAt) if (at < before && socket.bytesRead === 0) socket.destroy()
  }
}

/**
 * Closes the port when nobody is at the door, and resolves when the last connection has ended. Connections wait in the
 * kernel's queue and are accepted one a turn: those that wait while the port closes would be reset, requests and all.
 */
async function closePort(server: Server): Promise<void> {
  if (!server.listening) return
  let quietTurns = 0
  const onConnection = () => {
    quietTurns = 0
  }
  server.on('connection', onConnection)
  const until = performance.now() + QUIET_WITHIN_MS
  while (quietTurns < QUIET_TURNS && performance.now() < until) {
    quietTurns++
    await turn()
  }
  const closed = new Promise((resolve) => server.close(resolve))
  server.off('connection', onConnection)
  await closed
}
