/** How an instance leaves: not ready first, held polls answered, then no new connections, then what is under way, then Redis. */
import type { Server } from 'node:http'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const SWEEP_EVERY_MS = 100
const QUIET_TURNS = 3
const QUIET_WITHIN_MS = 1_000

export async function stopGracefully(app: FastifyInstance): Promise<void> {
  app.readiness.drain()
  app.heldPolls.stop()
  await sleep(app.config.shutdownDelaySeconds * 1000)
  // A kept-alive connection would hold the server open until its client leaves: once idle, it is closed from here.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_EVERY_MS)
  try {
    await closePort(app.server)
    await app.close()
  } finally {
    clearInterval(sweep)
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
