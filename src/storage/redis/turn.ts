/**
 * All commands of one turn of the event loop leave in one write to each server. The driver's own pipelining would do that as
 * well, but keeps a list, a promise and a callback more for every command, which is an eighth of what a poll costs this process.
 */
import type { Redis } from 'ioredis'

/** Beyond so many they leave at once: with a thousand busy connections and more a turn can last for seconds. */
const MOST_TOGETHER = 100

/** To be called before each command. What is written in this turn is held back and sent together at its end. */
export function createTurns(servers: () => Redis[]): () => void {
  let isGathering = false
  let streams: Redis['stream'][] = []
  let gathered = 0

  function send(): void {
    for (const stream of streams) {
      stream.uncork()
      stream.cork()
    }
  }

  return () => {
    gathered += 1
    if (isGathering) {
      if (gathered % MOST_TOGETHER === 0) send()
      return
    }
    isGathering = true
    gathered = 1
    // A connection that is made within the turn sends its commands one by one, this once.
    streams = servers().flatMap(({ stream }) => stream ?? [])
    for (const stream of streams) stream.cork()
    setImmediate(() => {
      isGathering = false
      for (const stream of streams) stream.uncork()
    })
  }
}
