/** How an instance leaves: not ready first, then no new connections, then what is under way, then Redis. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'

const SWEEP_EVERY_MS = 100

export async function stopGracefully(app: FastifyInstance): Promise<void> {
  app.readiness.drain()
  await sleep(app.config.shutdownDelaySeconds * 1000)
  // A kept-alive connection would hold the server open until its client leaves: once idle, it is closed from here.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_EVERY_MS)
  try {
    await app.close()
  } finally {
    clearInterval(sweep)
  }
}
