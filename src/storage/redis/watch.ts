/** Every call to Redis is watched: it ends in time, whatever the driver does, it is measured, and its errors get their meaning. */
import { ReplyError } from 'ioredis'
import { createDeadline } from '../../core/deadline.js'
import { fault, isFault } from '../../core/fault.js'
import type { LatencyObserver } from '../../core/storage.js'

/** Beyond so many at a time the next is refused: they would only wait for each other. */
const MOST_UNDER_WAY = 10_000

/** Replies that mean "not now" instead of "you are wrong". */
const NOT_NOW =
  // The last is what a script hears whose user may not do something: the same as NOPERM.
  /^(LOADING|BUSY|READONLY|MISCONF|OOM|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOAUTH|WRONGPASS|NOPERM|UNKILLABLE|UNBLOCKED)\b|^ERR The user executing the script/

export interface Watch {
  /**
   * The answer, or a rejection with `unavailable`: none came in time, or Redis could not be asked. `again` is asked when the
   * server has forgotten a script.
   */
  over<T>(name: string, answer: Promise<T>, again?: () => Promise<T>): Promise<T>
  isFull(): boolean
  stop(): void
}

export function createWatch(withinMs: number, observe: LatencyObserver): Watch {
  const deadline = createDeadline(withinMs)
  return {
    // Most of these are polls: it is one promise, with no layer that could be spared.
    over<T>(name: string, answer: Promise<T>, again?: () => Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const startedAt = performance.now()
        const call = deadline.begin(startedAt, () => {
          observe(name, withinMs / 1000)
          reject(fault('unavailable', { detail: `no answer from Redis in ${withinMs} ms` }))
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
    },
    isFull: () => deadline.count() >= MOST_UNDER_WAY,
    stop: () => deadline.stop()
  }
}

/** After a restart, a failover or a flush the server knows scripts by their text alone. */
function isForgottenScript(error: unknown): boolean {
  return error instanceof ReplyError && (error as Error).message.startsWith('NOSCRIPT')
}

function translate(error: unknown): unknown {
  if (isFault(error)) return error
  if (error instanceof ReplyError && !NOT_NOW.test((error as Error).message)) return error
  return fault('unavailable', { detail: error instanceof Error ? error.message : String(error), cause: error })
}
