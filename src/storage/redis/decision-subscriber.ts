/** One connection to one primary, subscribed to the channels of the grants that it owns. */
import type { Redis } from 'ioredis'

export interface SubscriberEvents {
  said(grantDigest: string): void
  /** The subscriber came up or went down. */
  changed(): void
  refused(message: string): void
}

export interface Subscriber {
  readonly channels: readonly string[]
  /** Whether all its channels are subscribed. */
  isUp(): boolean
  /** Subscribes if need be, or else pings: without traffic, a dead connection would go unnoticed. To be called periodically. */
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
      if (isUp) return void (await redis.ping())
      // One command per channel: a SSUBSCRIBE takes several channels only if they share a slot.
      await Promise.all(channels.map((channel) => redis.ssubscribe(channel)))
      if (redis.stream === stream) turn(true)
    } catch (error) {
      // The driver reconnects a broken connection; the next beat subscribes again.
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
  // The Cluster moved some of the channels to another primary.
  redis.on('moved', down)
  // The connection for commands (connection.ts) already logs that Redis is away.
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
