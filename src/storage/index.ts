/** Opens the engine the configuration names: Redis, or else this process's memory. Knows both engines, and nobody else does. */
import type { Clock } from '../core/clock.js'
import type { Storage } from '../core/storage.js'
import { createMemoryStorage } from './memory/index.js'
import { createRedisStorage, type RedisStorageOptions } from './redis/index.js'

export interface StorageOptions extends Omit<RedisStorageOptions, 'redis'> {
  /** Where Redis is; without it everything is kept in memory and goes with the process. */
  redis: RedisStorageOptions['redis'] | undefined
  clock: Clock
}

export function createStorage({ redis, ...options }: StorageOptions): Storage {
  return redis ? createRedisStorage({ redis, ...options }) : createMemoryStorage(options.clock)
}
