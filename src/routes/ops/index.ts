/** What operators and orchestrators ask: life, readiness, numbers, the contract. */
import { opsOperations } from '../../../schemas/generated/ops.js'
import { surface } from '../app.js'
import { refuseOtherMethods } from '../method-not-allowed.js'
import { docs } from './docs.js'
import { getHealth, getMetrics, getReadiness } from './probes.js'

export const ops = surface('ops', ['config', 'metrics', 'readiness'], async (app) => {
  getHealth(app)
  getReadiness(app)
  getMetrics(app)
  refuseOtherMethods(app, Object.values(opsOperations))
  app.register(docs)
})
