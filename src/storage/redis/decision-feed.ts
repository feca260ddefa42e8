/**
 * The decision feed over sharded pub/sub: an instance subscribes at every primary, on a separate connection, to the channels of
 * that primary's grants. The cost of a decision does not depend on the number of held polls, and holding one costs Redis
 * nothing.
 */
import type { DecisionFeed, DecisionListener } from '../../core/grants/grant-store.js'
import type { Log } from './connection-log.js'
import { createSubscriber, type Subscriber } from './decision-subscriber.js'
import type { Owner, Servers } from './servers.js'

/** How often every subscriber is pinged, and the subscriptions are compared with the owners of the slots. */
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
  const subscribers = new Map<Owner, Subscriber>()
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

  /** The channels by the primary that owns their slots; undefined if a slot has no known owner. */
  function shares(): Map<Owner, string[]> | undefined {
    const found = new Map<Owner, string[]>()
    for (const [channel, slot] of slots) {
      const owner = servers.ownerOf(slot)
      if (owner === undefined) return undefined
      const share = found.get(owner)
      if (share) share.push(channel)
      else found.set(owner, [channel])
    }
    return found
  }

  function beat(): void {
    const wanted = shares()
    for (const [owner, subscriber] of subscribers) {
      if (wanted && `${wanted.get(owner)}` === `${subscriber.channels}`) continue
      subscriber.close()
      subscribers.delete(owner)
    }
    for (const [owner, share] of wanted ?? []) {
      const known = subscribers.get(owner)
      if (known) void known.beat()
      else subscribers.set(owner, createSubscriber(servers.connectTo(owner, PURPOSE), share, events))
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
