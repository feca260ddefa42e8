/**
 * Closes connections to a replaced primary when Sentinels announce another one, because a primary that hangs keeps its
 * connections open. The driver's failoverDetector does the same, but a connection that is just being made then never
 * connects again, and it also closes connections that are already at the new primary, or that belong to another group
 * of servers.
 */
import type { Redis } from 'ioredis'
import type { ServerAddress } from '../../config/redis.js'

/** Each Sentinel publishes this for itself when it begins to name another primary. */
const CHANNEL = '+switch-master'

export interface Promotions {
  /** Follows the announcements for a connection that finds its primary by Sentinels, until the connection ends. */
  follow(redis: Redis): void
  close(): void
}

/** `sentinels` are connections for this purpose alone; `name` is the Sentinels' name of the primary. */
export function hearOfPromotions(sentinels: readonly Redis[], name: string): Promotions {
  const followers = new Set<(primary: ServerAddress) => void>()

  for (const sentinel of sentinels) {
    // An unreachable Sentinel is no fault of Redis, and the other Sentinels make the same announcement.
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
      /**
       * A primary that was announced while the connection was made: a Sentinel may have named the old one just before.
       */
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
