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

/** One line a minute for each command or family of keys, because every request that needs the key would be another one. */
const FOREIGN_LOGGED_EVERY_MS = 60_000

export interface ForeignKeyWarnings {
  /** A command or script met a key of another type, or could not make anything of its content. */
  met(name: string, keys: string[]): void
  /** A key of this family was read, and is not of its form. */
  unreadable(family: string, why: string): void
}

export function foreignKeyWarnings(log: Log): ForeignKeyWarnings {
  const loggedAtMs = new Map<string, number>()
  function warn(about: string, message: string): void {
    const nowMs = performance.now()
    if (nowMs - (loggedAtMs.get(about) ?? Number.NEGATIVE_INFINITY) < FOREIGN_LOGGED_EVERY_MS) return
    loggedAtMs.set(about, nowMs)
    log.warn(message)
  }
  return {
    met: (name, keys) =>
      warn(
        `call ${name}`,
        `a key of Redis is of the wrong type, or not of its form, somebody else has written it: ${keys.join(' or ')} (${name})`
      ),
    unreadable: (family, why) =>
      warn(`family ${family}`, `a key of Redis cannot be read, somebody else has written it: one of ${family} (${why})`)
  }
}
