/**
 * Hears from Sentinels that a primary has been replaced, and leaves it: one that hangs keeps its connections. The driver's own
 * failoverDetector would do so too, but it ends a connection for good that is just being made, and it drops those that are at
 * the new primary already, or that nothing was said about.
 */
import type { Redis } from 'ioredis'
import type { ServerAddress } from '../../config/redis.js'

/** Each Sentinel says so for itself, when it begins to name another one. */
const CHANNEL = '+switch-master'

export interface Promotions {
  /** For a connection that asks Sentinels where to go, from its making to its end. */
  follow(redis: Redis): void
  close(): void
}

/** `sentinels` are connections to them, for nothing else; `name` is what they call the primary. */
export function hearOfPromotions(sentinels: readonly Redis[], name: string): Promotions {
  const followers = new Set<(primary: ServerAddress) => void>()

  for (const sentinel of sentinels) {
    // One that is away is no fault of Redis, and the others speak for it.
    sentinel.on('error', () => {})
    sentinel.on('ready', () => void sentinel.subscribe(CHANNEL).catch(() => {}))
    sentinel.on('message', (_channel, message: string) => {
      const [master, , , host = '', port] = message.split(' ')
      if (master !== name) return
      for (const hear of followers) hear({ host, port: Number(port) })
    })
  }

  return {
    follow(redis) {
      /** Heard of while the connection was made: a Sentinel may have named the old one just before. */
      let promoted: ServerAddress | undefined
      const leaveUnlessAt = ({ host, port }: ServerAddress) => {
        const { stream } = redis
        if (stream.remoteAddress === host && stream.remotePort === port) return
        stream.destroy(new Error('Sentinels have chosen another primary'))
      }
      const hear = (primary: ServerAddress) => {
        if (redis.status === 'connecting') promoted = primary
        else if (redis.status === 'connect' || redis.status === 'ready') leaveUnlessAt(primary)
      }
      followers.add(hear)
      redis.on('connect', () => {
        if (promoted) leaveUnlessAt(promoted)
        promoted = undefined
      })
      redis.on('close', () => {
        promoted = undefined
      })
      redis.once('end', () => followers.delete(hear))
    },

    close() {
      for (const sentinel of sentinels) sentinel.disconnect()
    }
  }
}
