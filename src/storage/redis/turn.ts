/**
 * All commands of one turn of the event loop leave in one write. The driver's own pipelining would do that as well, but keeps
 * a list, a promise and a callback more for every command, which is an eighth of what a poll costs this process.
 */
import type { Redis } from 'ioredis'

/** To be called before each command. What is written in this turn is held back and sent together at its end. */
export function createTurns(redis: Redis): () => void {
  let corked: Redis['stream'] | undefined

  return () => {
    const { stream } = redis
    // After a reconnection within the turn it is another one.
    if (stream === corked) return
    corked = stream
    stream.cork()
    setImmediate(() => {
      if (corked === stream) corked = undefined
      stream.uncork()
    })
  }
}
