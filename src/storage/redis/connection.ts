/**
 * The one connection commands go over: how it is made, how long a call may take, and what its errors mean. The other one of
 * an instance, which only listens, is decision-feed.ts's.
 * Nothing is queued while Redis is away: a request is refused at once rather than applied after its caller has left.
 */
import { Redis, ReplyError } from 'ioredis'
import { fault } from '../../fault.js'
import type { LatencyObserver } from '../storage.js'
import { createDeadline } from './deadline.js'
import { loadScripts, type ScriptName } from './scripts.js'
import { createTurns } from './turn.js'

/** The longest a request waits for one answer. */
const ANSWER_WITHIN_MS = 500
/** A server that takes connections and says nothing is left after this. */
const SILENT_SOCKET_MS = 2_000

/** Replies that mean "not now" instead of "you are wrong". */
const NOT_NOW =
  /^(LOADING|BUSY|READONLY|MISCONF|OOM|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM|UNKILLABLE)\b/

/** What both connections of an instance have in common. */
export const CONNECTION_OPTIONS = {
  protocol: 2,
  enableOfflineQueue: false,
  connectTimeout: 2_000,
  socketTimeout: SILENT_SOCKET_MS,
  keepAlive: 10_000,
  // Soon at first, for a connection that merely broke; jitter keeps instances from coming back all at once.
  retryStrategy: (attempt: number) => Math.round(Math.min(10 * 2 ** attempt, 400) * (1 + Math.random() / 4))
} as const

export interface Log {
  info(message: string): void
  warn(message: string): void
}

export interface Connection {
  /** Runs a script; what it returns is described in its file. Rejects with `unavailable` when Redis could not be asked. */
  run(name: ScriptName, ...keysThenArgs: (string | number)[]): Promise<unknown>
  /** Runs a plain command, with the same promise. */
  call<T>(name: string, command: (redis: Redis) => Promise<T>): Promise<T>
  /** Resolves when Redis has become ready, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): Promise<void>
}

export function connect(url: string, log: Log, observe: LatencyObserver): Connection {
  const redis = new Redis(url, {
    ...CONNECTION_OPTIONS,
    connectionName: 'grantd',
    // A command whose answer was lost is sent once more: every script is safe to apply twice.
    maxRetriesPerRequest: 1
  })
  logStates(redis, log)
  const scripts = loadScripts()
  const deadline = createDeadline(ANSWER_WITHIN_MS)
  const gather = createTurns(redis)

  /**
   * Every call goes through here, and most of them are polls: it is one promise, with no layer that could be spared.
   * `again` is asked when the server has forgotten a script.
   */
  function watch<T>(name: string, answer: Promise<T>, again?: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now()
      const call = deadline.begin(startedAt, () => {
        observe(name, ANSWER_WITHIN_MS / 1000)
        reject(fault('unavailable', { detail: `no answer from Redis in ${ANSWER_WITHIN_MS} ms` }))
      })
      const succeed = (value: T) => {
        if (!deadline.end(call)) return
        observe(name, (performance.now() - startedAt) / 1000)
        resolve(value)
      }
      const fail = (error: unknown) => {
        if (again && isForgottenScript(error)) {
          again().then(succeed, fail)
        } else if (deadline.end(call)) {
          observe(name, (performance.now() - startedAt) / 1000)
          reject(translate(error))
        }
      }
      answer.then(succeed, fail)
    })
  }

  const notConnected = () => Promise.reject(fault('unavailable', { detail: 'not connected to Redis' }))

  return {
    run(name, ...keysThenArgs) {
      if (redis.status !== 'ready') return notConnected()
      gather()
      const { sha, lua, numberOfKeys } = scripts[name]
      const answer = redis.evalsha(sha, numberOfKeys, ...keysThenArgs)
      return watch(name, answer, () => redis.eval(lua, numberOfKeys, ...keysThenArgs))
    },

    call(name, command) {
      if (redis.status !== 'ready') return notConnected()
      gather()
      return watch(name, command(redis))
    },

    async settle(withinMs) {
      if (redis.status === 'ready') return
      // Not events.once: an error event is one failed attempt of many, no reason to stop waiting.
      await new Promise<void>((resolve) => {
        redis.once('ready', resolve)
        setTimeout(resolve, withinMs).unref()
      })
    },

    async close() {
      deadline.stop()
      // A polite end waits for answers under way; one that cannot be had is not waited for.
      if (redis.status === 'ready') await Promise.race([redis.quit().catch(() => {}), sleepUnref(ANSWER_WITHIN_MS)])
      redis.disconnect()
    }
  }
}

/** After a restart, a failover or a flush the server knows scripts by their text alone. */
function isForgottenScript(error: unknown): boolean {
  return error instanceof ReplyError && (error as Error).message.startsWith('NOSCRIPT')
}

function translate(error: unknown): unknown {
  if (error instanceof ReplyError && !NOT_NOW.test((error as Error).message)) return error
  return fault('unavailable', { detail: error instanceof Error ? error.message : String(error), cause: error })
}

/** One line when Redis goes and one when it comes, however often it is tried in between. */
function logStates(redis: Redis, log: Log): void {
  let isAway = false
  redis.on('ready', () => {
    log.info('Redis is ready')
    isAway = false
  })
  const away = (why: string) => {
    if (!isAway) log.warn(`Redis is away: ${why}`)
    isAway = true
  }
  redis.on('error', (error: Error) => away(error.message))
  redis.on('reconnecting', () => away('the connection ended'))
}

function sleepUnref(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
