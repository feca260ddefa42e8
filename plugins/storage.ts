/** app.storage: Redis if the configuration says where, otherwise this process's memory. */
import fp from 'fastify-plugin'
import type { Clock } from '../src/core/clock.js'
import type { Storage } from '../src/core/storage.js'
import { createStorage } from '../src/storage/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    storage: Storage
  }
}

export interface StorageOptions {
  /** Tests rule the time of grants with it; in service that is the engine's own. */
  testClock?: Clock
}

export const storage = fp<StorageOptions>(
  async (app, options) => {
    const { config, clock, log, metrics } = app
    const engine = createStorage({ redis: config.redis, clock, log, observe: metrics.observeRedis, ...options })
    app.decorate('storage', engine)
    app.addHook('onClose', () => engine.close())
    await engine.open()
  },
  { name: 'storage', dependencies: ['config', 'metrics'] }
)
