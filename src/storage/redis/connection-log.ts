/** What the log is told of Redis: whether it is there, whether every server of a Cluster is, and keys that are not ours. */
import type { Cluster, Redis } from 'ioredis'

export interface Log {
  info(message: string): void
  warn(message: string): void
}

/** Logs one line when Redis goes away and one when it is back, however many attempts fail in between. */
export function logStates(commands: Redis | Cluster, log: Log): void {
  let isAway = false
  commands.on('ready', () => {
    log.info('Redis is ready')
    isAway = false
  })
  const away = (why: string) => {
    if (!isAway) log.warn(`Redis is away: ${why}`)
    isAway = true
  }
  commands.on('error', (error: Error) => away(error.message))
  commands.on('reconnecting', () => away('the connection ended'))
  // A Cluster works on without one of its servers. The keys of that server are refused until another one has taken
  // over.
  const lost = new Set<string>()
  commands.on('node error', (error: Error, address: string) => {
    if (!lost.has(address)) log.warn(`a server of the Redis Cluster is away, ${address}: ${error.message}`)
    lost.add(address)
  })
  commands.on('+node', (redis: Redis) => {
    const address = `${redis.options.host}:${redis.options.port}`
    redis.on('ready', () => {
      if (lost.delete(address)) log.info(`a server of the Redis Cluster is back, ${address}`)
    })
  })
}

/** One line a minute for each command, because every request that needs the key would be another one. */
const FOREIGN_LOGGED_EVERY_MS = 60_000

export function foreignKeyWarnings(log: Log): (name: string, keys: string[]) => void {
  const loggedAtMs = new Map<string, number>()
  return (name, keys) => {
    const nowMs = performance.now()
    if (nowMs - (loggedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < FOREIGN_LOGGED_EVERY_MS) return
    loggedAtMs.set(name, nowMs)
    log.warn(`a key of Redis is of the wrong type, somebody else has written it: ${keys.join(' or ')} (${name})`)
  }
}
