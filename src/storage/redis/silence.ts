/**
 * Leaves a server that takes commands and says nothing, for the one that may have taken over. The driver would do so too, but by a
 * timer alone: when this process has been held up, what it has been answered meanwhile would be thrown away unread.
 */
import type { Redis } from 'ioredis'

/** Never sooner: a server may be held up by its own housekeeping. */
const LEAST_SILENT_MS = 2_000
const LOOK_EVERY_MS = 250

/** For a connection of any kind, from its making to its end. Nobody waits for an answer longer than `timeoutMs`. */
export function leaveWhenSilent(redis: Redis, timeoutMs: number): void {
  const silentMs = Math.max(LEAST_SILENT_MS, timeoutMs)
  /** The last look at which something had been heard since the one before, or nothing was asked. */
  let contentAt = performance.now()
  let isHeard = false
  const heard = () => {
    isHeard = true
  }
  const look = () => {
    if (isHeard || redis.commandQueue.length === 0) {
      contentAt = performance.now()
      isHeard = false
    } else if (performance.now() - contentAt > silentMs) {
      heard()
      redis.stream?.destroy(new Error(`the server says nothing for ${silentMs} ms`))
    }
  }
  // After the sockets have been read: see above.
  const timer = setInterval(() => setImmediate(look), LOOK_EVERY_MS).unref()
  redis.on('connect', () => {
    heard()
    redis.stream.on('data', heard)
  })
  redis.once('end', () => clearInterval(timer))
}
