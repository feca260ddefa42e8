/**
 * Closes the connection to a server that accepts commands but never answers, so that its successor can be found. The
 * driver's socketTimeout does the same by a timer alone: after this process was blocked, it would discard answers that
 * have arrived unread.
 */
import type { Redis } from 'ioredis'

/** The limit is never shorter, because a server may pause for its own housekeeping. */
const LEAST_SILENT_MS = 2_000
const LOOK_EVERY_MS = 250

/** Watches a connection of any kind until its end. No caller waits for an answer longer than `timeoutMs`. */
export function leaveWhenSilent(redis: Redis, timeoutMs: number): void {
  const silentMs = Math.max(LEAST_SILENT_MS, timeoutMs)
  /** The time of the last check that found new data or no command under way. */
  let contentAtMs = performance.now()
  let isHeard = false
  const heard = () => {
    isHeard = true
  }
  const look = (firedAtMs: number) => {
    if (isHeard || redis.commandQueue.length === 0) {
      contentAtMs = performance.now()
      isHeard = false
    } else if (firedAtMs - contentAtMs > silentMs) {
      heard()
      redis.stream?.destroy(new Error(`the server says nothing for ${silentMs} ms`))
    }
  }
  // setImmediate runs the check after the sockets have been read, so that answers that arrived while the process was
  // blocked count. Whatever blocks it between the timer and the check is not counted for the same reason.
  const timer = setInterval(() => setImmediate(look, performance.now()), LOOK_EVERY_MS).unref()
  redis.on('connect', () => {
    heard()
    redis.stream.on('data', heard)
  })
  redis.once('end', () => clearInterval(timer))
}
