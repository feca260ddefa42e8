/** A wall-clock bound around every call: one sweep for all of them instead of a timer for each. */
import { fault } from '../../fault.js'

const SWEEP_EVERY_MS = 50

export interface Deadline {
  /** Settles as the promise does, or rejects with `unavailable` when that takes too long. */
  bound<T>(promise: Promise<T>): Promise<T>
  stop(): void
}

interface Waiting {
  dueAt: number
  giveUp(): void
}

export function createDeadline(limitMs: number): Deadline {
  /** In the order they began, so in the order they are due. */
  const waiting = new Set<Waiting>()

  function sweep(): void {
    const now = performance.now()
    for (const call of waiting) {
      if (call.dueAt > now) return
      waiting.delete(call)
      call.giveUp()
    }
  }

  // After the sockets have been read: an answer that waits there came in time, whatever kept this process from it.
  const timer = setInterval(() => setImmediate(sweep), SWEEP_EVERY_MS)
  timer.unref()

  return {
    bound(promise) {
      return new Promise((resolve, reject) => {
        const call: Waiting = {
          dueAt: performance.now() + limitMs,
          giveUp: () => reject(fault('unavailable', { detail: `no answer from Redis in ${limitMs} ms` }))
        }
        waiting.add(call)
        promise.then(
          (value) => {
            waiting.delete(call)
            resolve(value)
          },
          (error) => {
            waiting.delete(call)
            reject(error)
          }
        )
      })
    },
    stop: () => clearInterval(timer)
  }
}
