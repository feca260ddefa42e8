/**
 * Watches every call to Redis: gives it a time limit that does not depend on the driver, measures it, and classifies
 * its errors.
 */
import { ReplyError } from 'ioredis'
import { createDeadline } from '../../core/clock.js'
import { fault, isFault } from '../../core/fault.js'
import type { LatencyObserver } from '../../core/storage.js'

/** The cap on calls under way. Further calls are refused, because they would only wait for each other. */
const MOST_UNDER_WAY = 10_000

/**
 * A key of ours that somebody else has written: no request that needs it can be served until an operator takes it away. A script says
 * UNREADABLE where it looks; elsewhere it ends where it takes for a number, or for JSON, what is none.
 */
const FOREIGN = /^(WRONGTYPE|UNREADABLE)\b|^ERR (value is not an integer|increment or decrement would|user_script:)/

/**
 * Error replies that mean "not now" rather than "wrong command". The last two are what NOPERM becomes inside a script, whose user
 * lacks a permission: in Redis 7.0, and in later versions and Valkey.
 */
const NOT_NOW =
  /^(LOADING|BUSY|READONLY|MISCONF|OOM|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOAUTH|WRONGPASS|NOPERM|UNKILLABLE|UNBLOCKED)\b|^ERR (The user executing the script|ACL failure in script)/

/** What the driver says when it has no open connection, also in the moment between the end of a connection and its event. */
const NO_CONNECTION = /^(Connection is closed|Stream isn't writeable)/

export interface Watch {
  /**
   * Resolves to the answer. Rejects with `unavailable` if none came in time or Redis could not be asked. `again`
   * repeats the call by the script's text when the server has forgotten the script.
   */
  over<T>(name: string, answer: Promise<T>, again?: () => Promise<T>): Promise<T>
  isFull(): boolean
  stop(): void
}

export interface WatchOptions {
  /** The time limit of a call. */
  withinMs: number
  observe: LatencyObserver
  /** Called with the command or script that met a key which somebody else has written, and with its keys. */
  foundForeign?(name: string, keys: string[]): void
}

export function createWatch({ withinMs, observe, foundForeign = () => {} }: WatchOptions): Watch {
  const deadline = createDeadline(withinMs)
  return {
    // Most calls are polls, so this is one promise without async functions, to save the cost of more.
    over<T>(name: string, answer: Promise<T>, again?: () => Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const startedAtMs = performance.now()
        const call = deadline.begin(startedAtMs, () => {
          observe(name, withinMs / 1000)
          reject(fault('unavailable', { detail: `no answer from Redis in ${withinMs} ms` }))
        })
        const succeed = (value: T) => {
          if (!deadline.end(call)) return
          observe(name, (performance.now() - startedAtMs) / 1000)
          resolve(value)
        }
        const fail = (error: unknown) => {
          if (again && isForgottenScript(error)) {
            again().then(succeed, fail)
          } else if (deadline.end(call)) {
            observe(name, (performance.now() - startedAtMs) / 1000)
            if (isReply(error) && FOREIGN.test(error.message)) foundForeign(name, keysOf(error))
            reject(translate(error))
          }
        }
        answer.then(succeed, fail)
      })
    },
    isFull: () => deadline.count() >= MOST_UNDER_WAY,
    stop: () => deadline.stop()
  }
}

/** Whether Redis refused a command because its key is not of the type that it should have. */
export function isWrongType(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('WRONGTYPE')
}

/** After a restart, a failover or SCRIPT FLUSH, the server no longer knows scripts by their digest. */
function isForgottenScript(error: unknown): boolean {
  return isReply(error) && error.message.startsWith('NOSCRIPT')
}

/** An error reply, to which the driver adds the command it answers. */
interface Reply extends Error {
  command?: { name: string; args: unknown[] }
}

function isReply(error: unknown): error is Reply {
  return error instanceof ReplyError
}

/** The key of a command, or those of a script. */
function keysOf({ command }: Reply): string[] {
  const args = command?.args.map(String) ?? []
  return command?.name.startsWith('eval') ? args.slice(2, 2 + Number(args[1])) : args.slice(0, 1)
}

function translate(error: unknown): unknown {
  if (isFault(error)) return error
  if (isReply(error) && !NOT_NOW.test(error.message) && !FOREIGN.test(error.message)) return error
  const message = error instanceof Error ? error.message : String(error)
  return fault('unavailable', {
    detail: NO_CONNECTION.test(message) ? 'not connected to Redis' : message,
    cause: error
  })
}
