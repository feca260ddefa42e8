/** One connection that listens to one primary for the grants it has. */
import type { Redis } from 'ioredis'

export interface SubscriberEvents {
  said(grantDigest: string): void
  /** It has come up, or gone down. */
  changed(): void
  refused(message: string): void
}

export interface Subscriber {
  readonly channels: readonly string[]
  /** Whether everything that is said on its channels is heard. */
  isUp(): boolean
  /** To be called from time to time: a subscriber that hears nothing could also be deaf. */
  beat(): Promise<void>
  close(): void
}

export function createSubscriber(redis: Redis, channels: readonly string[], events: SubscriberEvents): Subscriber {
  let isUp = false
  let isBusy = false
  let isClosed = false

  const turn = (up: boolean) => {
    if (isUp === up) return
    isUp = up
    events.changed()
  }

  async function beat(): Promise<void> {
    if (redis.status !== 'ready' || isBusy) return
    isBusy = true
    const { stream } = redis
    try {
      if (isUp) {
        await redis.ping()
      } else {
        // One by one: only channels of one slot could share a command.
        await Promise.all(channels.map((channel) => redis.ssubscribe(channel)))
        if (redis.stream === stream) turn(true)
      }
    } catch (error) {
      // A connection that broke comes back by itself.
      if (!isClosed) events.refused(error instanceof Error ? error.message : String(error))
    } finally {
      isBusy = false
    }
  }

  const said = (_channel: string, grantDigest: string) => events.said(grantDigest)
  const down = () => turn(false)

  redis.on('ready', beat)
  redis.on('smessage', said)
  redis.on('close', down)
  // A Cluster has given some of the channels to another primary.
  redis.on('moved', down)
  // That Redis is away is said by the connection that commands go over.
  redis.on('error', () => {})

  return {
    channels,
    isUp: () => isUp,
    beat,
    close() {
      // What was asked last fails now, which is nobody's fault.
      isClosed = true
      // Its own alone: others clear away after themselves when the connection ends.
      redis.off('ready', beat).off('smessage', said).off('close', down).off('moved', down)
      redis.disconnect()
    }
  }
}
