/** Configurations of Redis, for tests that open the storage or a connection themselves. */
import type { RedisConfig } from '../../src/config/redis.js'
import { connect, type RedisConnection } from '../../src/storage/redis/connection.js'
import { reachServers } from '../../src/storage/redis/servers.js'

const nobody = { username: undefined, password: undefined }

export const at = (url: string): RedisConfig['place'] => ({ kind: 'single', url })

export function redisConfig(place: RedisConfig['place'], parts: Partial<RedisConfig> = {}): RedisConfig {
  const defaults = { user: nobody, sentinelUser: nobody, tls: undefined, prefix: 'grantd:', timeoutMs: 1_000 }
  return { place, ...defaults, waitReplicas: 0, ...parts }
}

/** How long a connection waits for an answer. A healthy Redis on a busy machine needs less. */
export const PATIENT_MS = 30_000

/** Opens a connection as the stores have it and waits until it is ready. Only the loss of Redis is logged, through `warn`. A call has half of `timeoutMs`. */
export async function connectTo(
  place: string | RedisConfig['place'],
  warn: (message: string) => void = () => {},
  timeoutMs = PATIENT_MS
): Promise<RedisConnection> {
  const config = redisConfig(typeof place === 'string' ? at(place) : place, { timeoutMs })
  const replicas = { count: 0, fence: (key: string) => key }
  const log = { info() {}, warn }
  const connection = connect({ servers: reachServers(config), log, observe() {}, timeoutMs, replicas })
  await connection.settle(PATIENT_MS)
  return connection
}

/** Parses host:port,host:port, as REDIS_SENTINELS and REDIS_CLUSTER have it. */
export function addressesOf(list: string): { host: string; port: number }[] {
  return list.split(',').map((address) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port) }
  })
}
