import { opsOperations } from '../../../schemas/generated/ops.js'
import { isFault } from '../../core/fault.js'
import type { App } from '../app.js'

/** GET /readyz: the instance can serve, which takes an answer from Redis. */
export function getReadiness(app: App): void {
  app.route({
    ...opsOperations.getReadiness,
    config: { routine: true, isVital: true },
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
