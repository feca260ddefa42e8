/** What orchestrators and Prometheus ask an instance: whether it lives, whether it can serve, and its numbers. */
import { opsOperations } from '../../../schemas/generated/ops.js'
import { isFault } from '../../core/fault.js'
import type { App } from '../app.js'

/** The log is not told of a success, and overload refuses none of these. */
const PROBE = { routine: true, isVital: true }

/** GET /healthz: the process is alive. Looks at nothing else, so that an outage elsewhere restarts nobody. */
export function getHealth(app: App): void {
  app.route({
    ...opsOperations.getHealth,
    config: PROBE,
    handler: async () => ({ status: 'ok' as const })
  })
}

/** GET /readyz: the instance can serve, which takes an answer from Redis. */
export function getReadiness(app: App): void {
  app.route({
    ...opsOperations.getReadiness,
    config: PROBE,
    handler: async (_request, reply) => {
      try {
        await app.readiness.check()
        return { status: 'ready' as const }
      } catch (error) {
        if (!isFault(error)) throw error
        return reply.code(503).send({ status: 'not_ready', reason: error.detail ?? error.code })
      }
    }
  })
}

/** GET /metrics: the numbers of this instance, in the text format of Prometheus. */
export function getMetrics(app: App): void {
  app.route({
    ...opsOperations.getMetrics,
    config: PROBE,
    handler: async (_request, reply) => reply.type(app.metrics.contentType).send(await app.metrics.text())
  })
}
