/**
 * How stores ask Redis: by a script or a plain command, over one connection to each primary, and within a time. What must
 * outlive its primary goes by replica-wait.ts, and what is heard from Redis by decision-feed.ts: each has connections of its own.
 */
import type { Cluster, Redis } from 'ioredis'
import { fault } from '../../core/fault.js'
import type { LatencyObserver } from '../../core/storage.js'
import { createReplicaWait } from './replica-wait.js'
import { loadScripts, type ScriptName } from './scripts.js'
import type { Servers } from './servers.js'
import { createTurns } from './turn.js'
import { createWatch } from './watch.js'

export interface Log {
  info(message: string): void
  warn(message: string): void
}

type Commands = Redis | Cluster
type Argument = string | number

export interface Connection {
  /** Runs a script; what it returns is described in its file. Rejects with `unavailable` when Redis could not be asked. */
  run(name: ScriptName, key: string, ...keysThenArgs: Argument[]): Promise<unknown>
  /** Runs a plain command, with the same promise. */
  call<T>(name: string, command: (redis: Commands) => Promise<T>): Promise<T>
  /** The same for what somebody is told was done: it is on as many replicas as are asked for, or this rejects. */
  runDurably(name: ScriptName, key: string, ...keysThenArgs: Argument[]): Promise<unknown>
  callDurably<T>(name: string, key: string, command: (redis: Commands) => Promise<T>): Promise<T>
  /** Asks every primary there is: what each of them said, or why it did not. */
  askPrimaries<T>(name: string, command: (redis: Redis) => Promise<T>): Promise<PromiseSettledResult<T>[]>
  /** Whether what is asked now is sent; a server that has just come back tells of itself before that. */
  isReady(): boolean
  /** Resolves when Redis has become ready, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): Promise<void>
}

export interface ConnectionOptions {
  servers: Servers
  log: Log
  observe: LatencyObserver
  /** The longest a request waits. It may ask twice within that. */
  timeoutMs: number
  /** How many replicas must have what was done durably, and the key to try them with. */
  replicas: { count: number; fence: (key: string) => string }
}

export function connect({ servers, log, observe, timeoutMs, replicas }: ConnectionOptions): Connection {
  const { commands } = servers
  logStates(commands, log)
  const scripts = loadScripts()
  const watch = createWatch(timeoutMs / 2, observe)
  const gather = createTurns(servers.primaries)
  const replicaWait =
    replicas.count > 0
      ? createReplicaWait({ servers, watch, observe, timeoutMs, ...replicas, fenceScript: scripts['replica-fence'] })
      : undefined

  /** By its digest, and by its text where the server has forgotten it. */
  function runOn(redis: Commands, name: ScriptName, keysThenArgs: Argument[]): Promise<unknown> {
    const { sha, lua, numberOfKeys } = scripts[name]
    const answer = redis.evalsha(sha, numberOfKeys, ...keysThenArgs)
    return watch.over(name, answer, () => redis.eval(lua, numberOfKeys, ...keysThenArgs))
  }

  const refusal = () => {
    if (commands.status !== 'ready') return Promise.reject(fault('unavailable', { detail: 'not connected to Redis' }))
    if (watch.isFull()) return Promise.reject(fault('unavailable', { detail: 'too much is asked of Redis already' }))
    return undefined
  }

  const connection: Connection = {
    run(name, ...keysThenArgs) {
      const refused = refusal()
      if (refused) return refused
      gather()
      return runOn(commands, name, keysThenArgs)
    },

    call(name, command) {
      const refused = refusal()
      if (refused) return refused
      gather()
      return watch.over(name, command(commands))
    },

    async runDurably(name, ...keysThenArgs) {
      if (!replicaWait) return connection.run(name, ...keysThenArgs)
      return replicaWait.write(keysThenArgs[0], (redis) => runOn(redis, name, keysThenArgs))
    },

    async callDurably(name, key, command) {
      if (!replicaWait) return connection.call(name, command)
      return replicaWait.write(key, (redis) => watch.over(name, command(redis)))
    },

    askPrimaries(name, command) {
      const asked = servers.primaries().map((redis) => watch.over(name, command(redis)))
      return Promise.allSettled(asked)
    },

    isReady: () => commands.status === 'ready',

    async settle(withinMs) {
      if (commands.status === 'ready') return
      // Not events.once: an error event is one failed attempt of many, no reason to stop waiting.
      await new Promise<void>((resolve) => {
        commands.once('ready', resolve)
        setTimeout(resolve, withinMs).unref()
      })
    },

    async close() {
      watch.stop()
      replicaWait?.close()
      // A polite end waits for answers under way; one that cannot be had is not waited for.
      if (commands.status === 'ready') await Promise.race([commands.quit().catch(() => {}), sleepUnref(timeoutMs / 2)])
      commands.disconnect()
      servers.close()
    }
  }
  return connection
}

/** One line when Redis goes and one when it comes, however often it is tried in between. */
function logStates(commands: Commands, log: Log): void {
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
  // A Cluster goes on without one of its servers: what that one had is refused until another has taken over.
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

function sleepUnref(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
