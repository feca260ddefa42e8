/**
 * How the stores ask Redis: by a script or a plain command, within a time limit, over one connection to each primary.
 * replica-wait.ts handles writes that must outlive their primary, and decision-feed.ts handles pub/sub; each has
 * separate connections.
 */
import type { Cluster, Redis } from 'ioredis'
import { type Fault, fault } from '../../core/fault.js'
import type { LatencyObserver, TraceCall } from '../../core/storage.js'
import { foreignKeyWarnings, type Log, logStates } from './connection-log.js'
import { createCork } from './cork.js'
import { createReplicaWait } from './replica-wait.js'
import { loadScripts, type ScriptName } from './scripts.js'
import type { Servers } from './servers.js'
import { createWatch, type Watch } from './watch.js'

type Commands = Redis | Cluster
type Argument = string | number

export interface RedisConnection {
  /** The longest time that a call waits for its answer. */
  readonly withinMs: number
  /** Runs a script, whose file describes its result. Rejects with `unavailable` when Redis could not be asked. */
  run(name: ScriptName, key: string, ...keysThenArgs: Argument[]): Promise<unknown>
  /** The same for a script over any number of keys. It leaves with the commands of this turn, or before them. */
  runOver(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    leaves?: 'with-others' | 'at-once'
  ): Promise<unknown>
  /** Runs a plain command. Rejects like `run`. */
  call<T>(name: string, command: (redis: Commands) => Promise<T>): Promise<T>
  /**
   * Does the same for a write that is acknowledged to a user: resolves only once the configured number of replicas has
   * it.
   */
  runDurably(name: ScriptName, key: string, ...keysThenArgs: Argument[]): Promise<unknown>
  /** The same for a script over any number of keys, which are all in one slot. */
  runDurablyOver(name: ScriptName, keys: readonly [string, ...string[]], args: readonly Argument[]): Promise<unknown>
  callDurably<T>(name: string, key: string, command: (redis: Commands) => Promise<T>): Promise<T>
  /**
   * Counts and logs that a key of this family holds what cannot be read, without saying what. `why` must be no secret either. Returns
   * the fault for whoever needs that key.
   */
  unreadable(family: string, why?: string): Fault
  /** Asks every primary, and resolves to the answer or the error of each. */
  askPrimaries<T>(name: string, command: (redis: Redis) => Promise<T>): Promise<PromiseSettledResult<T>[]>
  /** The primaries that there are now, by names that whoever takes their place has from then on, in one order for all instances. */
  primaryNames(): string[]
  /**
   * What those names mean: it changes when slots are given to another primary. With a `since` it rejects with `invalid_request` if
   * it has changed since then. `isCertain` asks Redis; otherwise it is as far as is known here.
   */
  layout(since?: string, isCertain?: boolean): Promise<string>
  /** Asks the primary of this name. Rejects with `invalid_request` if there is none any more. */
  askPrimary<T>(name: string, of: string, command: (redis: Redis) => Promise<T>): Promise<T>
  /** Whether a command would be sent now. A server that has just come back first reports its state. */
  isReady(): boolean
  /** Resolves when Redis is ready, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): Promise<void>
}

export interface RedisConnectionOptions {
  servers: Servers
  log: Log
  observe: LatencyObserver
  traceCall?: TraceCall | undefined
  /** Called whenever a key is not of the type or the content that it should have. */
  countForeign?: () => void
  /** The longest time a request waits for Redis. A call has half of it, so that two calls fit. */
  timeoutMs: number
  /** The number of replicas that must have a durable write, and the key of the fence for WAIT (replica-wait.ts). */
  replicas: { count: number; fence: (key: string) => string }
}

export function connect(options: RedisConnectionOptions): RedisConnection {
  const { servers, log, observe, traceCall, countForeign = () => {}, timeoutMs, replicas } = options
  const { commands } = servers
  const withinMs = timeoutMs / 2
  logStates(commands, log)
  const scripts = loadScripts()
  const warnings = foreignKeyWarnings(log)
  const watchOptions = {
    withinMs,
    observe,
    foundForeign(name: string, keys: string[]) {
      countForeign()
      warnings.met(name, keys)
    }
  }
  const untraced = createWatch(watchOptions)
  const watch = traceCall ? tracedBy(traceCall, untraced) : untraced
  // Writes that wait for slow replicas are counted apart, so that they leave room for whoever waits for no replica.
  const apart = createWatch(watchOptions)
  const durableWatch = traceCall ? tracedBy(traceCall, apart) : apart
  const gather = createCork(servers.primaries)
  const replicaWait =
    replicas.count > 0
      ? createReplicaWait({
          servers,
          watch: durableWatch,
          observe,
          timeoutMs,
          ...replicas,
          fenceScript: scripts['replica-fence']
        })
      : undefined

  /** Runs a script by its digest (EVALSHA), or by its text if the server has forgotten it. */
  function runOn(
    redis: Commands,
    name: ScriptName,
    keysThenArgs: Argument[],
    { by = watch, numberOfKeys = scripts[name].numberOfKeys } = {}
  ): Promise<unknown> {
    const { sha, lua } = scripts[name]
    const answer = redis.evalsha(sha, numberOfKeys, ...keysThenArgs)
    return by.over(name, answer, () => redis.eval(lua, numberOfKeys, ...keysThenArgs))
  }

  const refusal = (isFull = watch.isFull) => {
    if (commands.status !== 'ready') return Promise.reject(fault('unavailable', { detail: 'not connected to Redis' }))
    if (isFull()) return Promise.reject(fault('unavailable', { detail: 'too much is asked of Redis already' }))
    return undefined
  }

  const connection: RedisConnection = {
    withinMs,

    run(name, ...keysThenArgs) {
      const refused = refusal()
      if (refused) return refused
      gather()
      return runOn(commands, name, keysThenArgs)
    },

    runOver(name, scriptKeys, args, leaves = 'with-others') {
      const refused = refusal()
      if (refused) return refused
      if (leaves === 'with-others') gather()
      // What leaves at once is a run for many, each of whom traces its own part (poll-batches.ts).
      const by = leaves === 'at-once' ? untraced : watch
      return runOn(commands, name, [...scriptKeys, ...args], { by, numberOfKeys: scriptKeys.length })
    },

    call(name, command) {
      const refused = refusal()
      if (refused) return refused
      gather()
      return watch.over(name, command(commands))
    },

    async runDurably(name, ...keysThenArgs) {
      if (!replicaWait) return connection.run(name, ...keysThenArgs)
      return (
        refusal(replicaWait.isFull) ??
        replicaWait.write(keysThenArgs[0], (redis) => runOn(redis, name, keysThenArgs, { by: durableWatch }))
      )
    },

    async runDurablyOver(name, scriptKeys, args) {
      const numberOfKeys = scriptKeys.length
      const run = (redis: Commands, by = watch) => runOn(redis, name, [...scriptKeys, ...args], { by, numberOfKeys })
      const refused = refusal(replicaWait?.isFull)
      if (refused) return refused
      if (replicaWait) return replicaWait.write(scriptKeys[0], (redis) => run(redis, durableWatch))
      gather()
      return run(commands)
    },

    async callDurably(name, key, command) {
      if (!replicaWait) return connection.call(name, command)
      return refusal(replicaWait.isFull) ?? replicaWait.write(key, (redis) => durableWatch.over(name, command(redis)))
    },

    unreadable(family, why = 'it is not of the form that grantd writes') {
      countForeign()
      warnings.unreadable(family, why)
      return fault('unavailable', { detail: `a key of Redis cannot be read, one of ${family}: ${why}` })
    },

    askPrimaries(name, command) {
      const asked = servers.primaries().map((redis) => watch.over(name, command(redis)))
      return Promise.allSettled(asked)
    },

    primaryNames: () => servers.primaries().map(servers.nameOf).sort(),

    async layout(since, isCertain = since === undefined) {
      const refused = refusal()
      if (refused) return refused
      // Another instance may have heard of a change before this one, or the other way round.
      if (isCertain || servers.layout() !== since) await servers.refresh()
      const layout = servers.layout()
      if (since !== undefined && layout !== since) throw lostPlace()
      return layout
    },

    async askPrimary(name, of, command) {
      const refused = refusal()
      if (refused) return refused
      const redis = servers.primaries().find((primary) => servers.nameOf(primary) === of)
      if (!redis) throw lostPlace()
      return watch.over(name, command(redis))
    },

    isReady: () => commands.status === 'ready',

    async settle(withinMs) {
      if (commands.status === 'ready') return
      // events.once would reject at the first `error` event, which is only one failed attempt of several.
      await new Promise<void>((resolve) => {
        commands.once('ready', resolve)
        setTimeout(resolve, withinMs).unref()
      })
    },

    async close() {
      watch.stop()
      durableWatch.stop()
      replicaWait?.close()
      // QUIT waits for answers under way, but no longer than a call may take.
      if (commands.status === 'ready') await Promise.race([commands.quit().catch(() => {}), sleepUnref(withinMs)])
      commands.disconnect()
      servers.close()
    }
  }
  return connection
}

const lostPlace = () => fault('invalid_request', { hint: 'The cursor leads nowhere any more, begin anew' })

function tracedBy(traceCall: TraceCall, watch: Watch): Watch {
  return { ...watch, over: (name, answer, again) => traceCall(name, watch.over(name, answer, again)) }
}

function sleepUnref(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
