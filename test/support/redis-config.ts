/** Configurations of Redis, for tests that open the storage or a connection themselves. */
import type { RedisConfig } from '../../src/config/redis.js'
import { type Connection, connect } from '../../src/storage/redis/connection.js'
import { reachServers } from '../../src/storage/redis/servers.js'

const nobody = { username: undefined, password: undefined }

export const at = (url: string): RedisConfig['place'] => ({ kind: 'single', url })

export function redisConfig(place: RedisConfig['place'], parts: Partial<RedisConfig> = {}): RedisConfig {
  const defaults = { user: nobody, sentinelUser: nobody, tls: undefined, prefix: 'grantd:', timeoutMs: 1_000 }
  return { place, ...defaults, waitReplicas: 0, ...parts }
}

/** Opens a connection as the stores have it. Only the loss of Redis is logged, through `warn`. */
export function connectTo(url: string, warn: (message: string) => void = () => {}): Connection {
  const { timeoutMs } = redisConfig(at(url))
  const replicas = { count: 0, fence: (key: string) => key }
  const servers = reachServers(redisConfig(at(url)))
  return connect({ servers, log: { info() {}, warn }, observe() {}, timeoutMs, replicas })
}

/** Parses host:port,host:port, as REDIS_SENTINELS and REDIS_CLUSTER have it. */
export function addressesOf(list: string): { host: string; port: number }[] {
  return list.split(',').map((address) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port) }
  })
}
