/** Creates the configured storage engine: Redis, or else this process's memory. The only file that imports both. */
import type { Clock } from '../core/clock.js'
import type { Storage } from '../core/storage.js'
import { createMemoryStorage } from './memory/index.js'
import { createRedisStorage, type RedisStorageOptions } from './redis/index.js'

export interface StorageOptions extends Omit<RedisStorageOptions, 'redis'> {
  /** Undefined for the memory engine, whose state is lost with the process. */
  redis: RedisStorageOptions['redis'] | undefined
  clock: Clock
}

export function createStorage({ redis, ...options }: StorageOptions): Storage {
  return redis ? createRedisStorage({ redis, ...options }) : createMemoryStorage(options.clock, options)
}
