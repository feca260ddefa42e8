/**
 * Closes connections to a replaced primary when Sentinels announce another one, because a primary that hangs keeps its
 * connections open. The driver's failoverDetector does the same, but a connection that is just being made then never
 * connects again, and it also closes connections that are already at the new primary, or that belong to another group
 * of servers.
 */
import { isIP } from 'node:net'
import type { Redis } from 'ioredis'
import type { ServerAddress } from '../../config/redis.js'

/** Each Sentinel publishes this for itself when it begins to name another primary. */
const CHANNEL = '+switch-master'
/** Without traffic, a connection that no packet comes through would look like one over which nothing is announced. */
const BEAT_MS = 1_000

export interface Promotions {
  /** Follows the announcements for a connection that finds its primary by Sentinels, until the connection ends. */
  follow(redis: Redis): void
  close(): void
}

/** `sentinels` are connections for this purpose alone; `name` is the Sentinels' name of the primary. */
export function hearOfPromotions(sentinels: readonly Redis[], name: string): Promotions {
  const followers = new Set<(primary: ServerAddress) => void>()
  const tell = (primary: ServerAddress) => {
    for (const hear of followers) hear(primary)
  }
  /** The election of which the newest primary came, among those that Sentinels have answered with. */
  let newestEpoch = -1

  /**
   * Listens to a Sentinel, and finds out what was announced while it was not heard. All of it leaves at once, the subscription last: a
   * connection that has subscribed may ask nothing more, and what is announced between an answer and a later subscription nobody hears.
   * One that was cut off itself may still name the old primary; it knows of no later election then.
   */
  async function listen(sentinel: Redis, isAnnounced: () => boolean): Promise<void> {
    sentinel.stream.cork()
    const answers = Promise.all([
      sentinel.call('SENTINEL', 'master', name) as Promise<string[]>,
      // The other answer has the new epoch together with the old address until the promotion is announced.
      sentinel.call('SENTINEL', 'get-master-addr-by-name', name) as Promise<[host: string, port: string]>,
      sentinel.subscribe(CHANNEL).catch(() => {})
    ])
    sentinel.stream.uncork()
    const [facts, [host, port]] = await answers
    const epoch = Number(facts[facts.indexOf('config-epoch') + 1])
    if (!(epoch > newestEpoch)) return
    newestEpoch = epoch
    // A name cannot be compared with the address of a connection. What is announced is newer than the answer before it.
    if (isIP(host) !== 0 && !isAnnounced()) tell({ host, port: Number(port) })
  }

  for (const sentinel of sentinels) {
    let announced = 0
    // An unreachable Sentinel is no fault of Redis, and the other Sentinels make the same announcement.
    sentinel.on('error', () => {})
    sentinel.on('ready', () => {
      const before = announced
      listen(sentinel, () => announced > before).catch(() => {})
    })
    sentinel.on('message', (_channel, message: string) => {
      const [master, , , host = '', port] = message.split(' ')
      if (master !== name) return
      announced++
      tell({ host, port: Number(port) })
    })
  }
  const beat = setInterval(() => {
    for (const sentinel of sentinels) if (sentinel.status === 'ready') void sentinel.ping().catch(() => {})
  }, BEAT_MS).unref()

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
      clearInterval(beat)
      for (const sentinel of sentinels) sentinel.disconnect()
    }
  }
}
