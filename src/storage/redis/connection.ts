/**
 * The one connection commands go over: how it is made, how long a call may take, and what its errors mean.
 * Nothing is queued while Redis is away: a request is refused at once rather than applied after its caller has left.
 */
import { Redis, ReplyError } from 'ioredis'
import { fault } from '../../fault.js'
import type { LatencyObserver } from '../storage.js'
import { createDeadline } from './deadline.js'
import { defineScripts, type RunScript } from './scripts.js'

/** The longest a request waits for one answer. */
const ANSWER_WITHIN_MS = 500
/** A server that takes connections and says nothing is left after this. */
const SILENT_SOCKET_MS = 2_000

/** Replies that mean "not now" instead of "you are wrong". */
const NOT_NOW =
  /^(LOADING|BUSY|READONLY|MISCONF|OOM|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM|UNKILLABLE)\b/

export interface Log {
  info(message: string): void
  warn(message: string): void
}

export interface Connection {
  /** Runs a script. Rejects with `unavailable` when Redis could not be asked. */
  run: RunScript
  /** Runs a plain command, with the same promise. */
  call<T>(name: string, command: (redis: Redis) => Promise<T>): Promise<T>
  /** Resolves when Redis has become ready, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): Promise<void>
}

export function connect(url: string, log: Log, observe: LatencyObserver): Connection {
  const redis = new Redis(url, {
    protocol: 2,
    connectionName: 'grantd',
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    // A command whose answer was lost is sent once more: every script is safe to apply twice.
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    socketTimeout: SILENT_SOCKET_MS,
    keepAlive: 10_000,
    // Soon at first, for a connection that merely broke; jitter keeps instances from coming back all at once.
    retryStrategy: (attempt) => Math.round(Math.min(10 * 2 ** attempt, 400) * (1 + Math.random() / 4))
  })
  logStates(redis, log)
  const runScript = defineScripts(redis)
  const deadline = createDeadline(ANSWER_WITHIN_MS)

  async function timed<T>(name: string, send: () => Promise<T>): Promise<T> {
    if (redis.status !== 'ready') throw fault('unavailable', { detail: 'not connected to Redis' })
    const startedAt = performance.now()
    try {
      return await deadline.bound(send())
    } catch (error) {
      throw translate(error)
    } finally {
      observe(name, (performance.now() - startedAt) / 1000)
    }
  }

  return {
    run: (name, ...keysThenArgs) => timed(name, () => runScript(name, ...keysThenArgs)),
    call: (name, command) => timed(name, () => command(redis)),

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

function translate(error: unknown): unknown {
  if (error instanceof ReplyError && !NOT_NOW.test((error as Error).message)) return error
  if (error instanceof Error && error.name === 'Fault') return error
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
