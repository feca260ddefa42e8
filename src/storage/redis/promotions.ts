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
   * Finds out what was announced while this Sentinel was not heard. One that was cut off itself may still name the old primary; it
   * knows of no later election then.
   */
  async function ask(sentinel: Redis): Promise<void> {
    const facts = (await sentinel.call('SENTINEL', 'master', name)) as string[]
    const fact = (which: string) => facts[facts.indexOf(which) + 1] ?? ''
    const [host, epoch] = [fact('ip'), Number(fact('config-epoch'))]
    if (!(epoch > newestEpoch)) return
    newestEpoch = epoch
    // A name cannot be compared with the address of a connection.
    if (isIP(host) !== 0) tell({ host, port: Number(fact('port')) })
  }

  async function listen(sentinel: Redis): Promise<void> {
    await ask(sentinel).catch(() => {})
    await sentinel.subscribe(CHANNEL).catch(() => {})
  }

  for (const sentinel of sentinels) {
    // An unreachable Sentinel is no fault of Redis, and the other Sentinels make the same announcement.
    sentinel.on('error', () => {})
    sentinel.on('ready', () => void listen(sentinel))
    sentinel.on('message', (_channel, message: string) => {
      const [master, , , host = '', port] = message.split(' ')
      if (master === name) tell({ host, port: Number(port) })
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
