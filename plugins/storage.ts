/** app.storage: Redis if the configuration names one, otherwise the memory of this process. */
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
  /** The time of grants in tests. In service the engine has its own. */
  testClock?: Clock
}

export const storage = fp<StorageOptions>(
  async (app, options) => {
    const { config, clock, log, metrics } = app
    const { redis, eventsKept } = config
    const { observeRedis: observe, countForeignKey: countForeign } = metrics
    const engine = createStorage({ ...{ redis, clock, log, observe, countForeign, eventsKept }, ...options })
    app.decorate('storage', engine)
    app.addHook('onClose', () => engine.close())
    await engine.open()
  },
  { name: 'storage', dependencies: ['config', 'metrics'] }
)
