/**
 * The decision feed over sharded pub/sub: an instance subscribes at every primary, on a separate connection, to the channels of
 * that primary's grants. The cost of a decision does not depend on the number of held polls, and holding one costs Redis
 * nothing.
 */
import type { DecisionFeed, DecisionListener } from '../../core/grants/grant-store.js'
import type { Log } from './connection-log.js'
import { createSubscriber, type Subscriber } from './decision-subscriber.js'
import type { PrimaryAddress, Servers } from './servers.js'

/** How often every subscriber is pinged, and the subscriptions are compared with who has the slots by now. */
const BEAT_EVERY_MS = 1_000
/** What is published in place of a digest when there is something new in the revocation feed. */
export const REVOCATIONS = 'revocations'
const PURPOSE = { connectionName: 'grantd-subscriber', maxRetriesPerRequest: 1 }

export interface RedisDecisionFeed extends DecisionFeed {
  /** Resolves when the feed is up, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): void
}

export function createRedisDecisionFeed(servers: Servers, channels: readonly string[], log: Log): RedisDecisionFeed {
  const slots = channels.map((channel) => [channel, servers.slotOf(channel)] as const)
  const subscribers = new Map<PrimaryAddress, Subscriber>()
  const listeners: DecisionListener[] = []
  const settled: (() => void)[] = []
  let isUp = false
  let complaint = ''

  const events = {
    said(what: string) {
      for (const { decided, revoked } of listeners) {
        if (what === REVOCATIONS) revoked()
        else decided(what)
      }
    },
    changed: judge,
    refused(message: string) {
      // The subscription is retried at every beat, so the same complaint is logged only once.
      if (message !== complaint) log.warn(`polls cannot be held, for Redis does not say what is decided: ${message}`)
      complaint = message
    }
  }

  /** The channels by the primary that owns their slots; undefined if of a slot no primary is known. */
  function shares(): Map<PrimaryAddress, string[]> | undefined {
    const found = new Map<PrimaryAddress, string[]>()
    for (const [channel, slot] of slots) {
      const address = servers.addressOf(slot)
      if (address === undefined) return undefined
      const share = found.get(address)
      if (share) share.push(channel)
      else found.set(address, [channel])
    }
    return found
  }

  function beat(): void {
    const wanted = shares()
    for (const [address, subscriber] of subscribers) {
      if (wanted && `${wanted.get(address)}` === `${subscriber.channels}`) continue
      subscriber.close()
      subscribers.delete(address)
    }
    for (const [address, share] of wanted ?? []) {
      const known = subscribers.get(address)
      if (known) void known.beat()
      else subscribers.set(address, createSubscriber(servers.connectTo(address, PURPOSE), share, events))
    }
    judge()
    if (!isUp) void servers.refresh()
  }

  function judge(): void {
    const wasUp = isUp
    // A listener of `resumed` asks for its grants at once, so commands must be possible by then.
    const canLook = servers.commands.status === 'ready'
    isUp = canLook && subscribers.size > 0 && [...subscribers.values()].every((subscriber) => subscriber.isUp())
    if (!isUp || wasUp) return
    complaint = ''
    for (const { resumed } of listeners) resumed()
    for (const resolve of settled.splice(0)) resolve()
  }

  servers.commands.on('ready', beat)
  const timer = setInterval(beat, BEAT_EVERY_MS).unref()

  return {
    isUp: () => isUp,
    listen: (listener) => void listeners.push(listener),

    async settle(withinMs) {
      if (isUp) return
      await new Promise<void>((resolve) => {
        settled.push(resolve)
        setTimeout(resolve, withinMs).unref()
      })
    },

    close() {
      clearInterval(timer)
      servers.commands.off('ready', beat)
      for (const subscriber of subscribers.values()) subscriber.close()
    }
  }
}
