/** What operators and orchestrators ask: life, readiness, numbers, the contract. */
import type { FastifyInstance } from 'fastify'
import { opsOperations } from '../../../schemas/generated/ops.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { docs } from './docs.js'
import { getHealth } from './get-health.js'
import { getMetrics } from './get-metrics.js'
import { getReadiness } from './get-readiness.js'

export async function ops(app: FastifyInstance): Promise<void> {
  getHealth(app)
  getReadiness(app)
  getMetrics(app)
  refuseOtherMethods(app, Object.values(opsOperations))
  app.register(docs)
}
