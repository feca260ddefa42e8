/** app.storage: Redis if the configuration says where, otherwise this process's memory. The only place that knows the engines. */
import fp from 'fastify-plugin'
import type { Clock } from '../src/core/clock.js'
import type { Storage } from '../src/core/storage.js'
import { createMemoryStorage } from '../src/storage/memory/index.js'
import { createRedisStorage } from '../src/storage/redis/index.js'

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
  async (app, { testClock }) => {
    const { redis } = app.config
    const engine = redis
      ? createRedisStorage({
          redis,
          clock: app.clock,
          log: app.log,
          observe: app.metrics.observeRedis,
          ...(testClock && { testClock })
        })
      : createMemoryStorage(app.clock)
    app.decorate('storage', engine)
    app.addHook('onClose', () => engine.close())
    await engine.open()
  },
  { name: 'storage', dependencies: ['config', 'metrics'] }
)
