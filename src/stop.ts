/** The graceful stop: not ready first, held polls answered, then no new connections, then requests under way, then Redis. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const SWEEP_EVERY_MS = 100
const QUIET_TURNS = 3
const QUIET_WITHIN_MS = 1_000
/** A connection on which nothing came for so long is taken for one that a browser opened ahead of need. */
const UNUSED_AFTER_MS = 1_000

/** Makes the function that stops the instance. To be called before it listens, so that no connection is missed. */
export function gracefulStop(app: FastifyInstance): () => Promise<void> {
  const closeUnused = followConnections(app.server)
  return async () => {
    app.readiness.drain()
    app.core.heldPolls.stop()
    await sleep(app.config.shutdownDelaySeconds * 1000)
    // A keep-alive or unused connection would hold the server open until its client leaves.
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
 * Makes the function that closes the connections on which nothing has come yet, as browsers and proxies open them ahead of
 * need. Node does not count them as idle, and once the port is closed no time-out of Node ends them.
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
 * Closes the port when no connection waits, and resolves when the last connection has ended. Connections wait in the kernel's
 * backlog and are accepted one in a turn of the event loop; those that wait when the port closes would be reset.
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
