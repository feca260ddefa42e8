import { opsOperations } from '../../../schemas/generated/ops.js'
import type { App } from '../app.js'

/** GET /healthz: the process is alive. Looks at nothing else, so that an outage elsewhere restarts nobody. */
export function getHealth(app: App): void {
  app.route({
    ...opsOperations.getHealth,
    config: { routine: true, isVital: true },
    handler: async () => ({ status: 'ok' as const })
  })
}
