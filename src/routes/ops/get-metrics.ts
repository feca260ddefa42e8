import { opsOperations } from '../../../schemas/generated/ops.js'
import type { App } from '../app.js'

/** GET /metrics: the numbers of this instance, in the text format of Prometheus. */
export function getMetrics(app: App): void {
  app.route({
    ...opsOperations.getMetrics,
    config: { routine: true, isVital: true },
    handler: async (_request, reply) => reply.type(app.metrics.contentType).send(await app.metrics.text())
  })
}
