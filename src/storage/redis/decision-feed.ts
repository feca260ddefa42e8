/**
 * Decisions by sharded pub/sub: an instance listens to every primary, on a connection of its own, for the grants that one has.
 * What a decision costs does not depend on how many wait, and a wait costs Redis nothing.
 */
import type { DecisionFeed, DecisionListener } from '../../core/grants/grant-store.js'
import type { Log } from './connection.js'
import { createSubscriber, type Subscriber } from './decision-subscriber.js'
import type { Owner, Servers } from './servers.js'

/** How often connections must show that they are alive, and whether each primary is still listened to for what it has. */
const BEAT_EVERY_MS = 1_000
const PURPOSE = { connectionName: 'grantd-subscriber', maxRetriesPerRequest: 1 }

export interface RedisDecisionFeed extends DecisionFeed {
  /** Resolves when it is up, or after `withinMs` in any case. */
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
    said(grantDigest: string) {
      for (const { decided } of listeners) decided(grantDigest)
    },
    changed: judge,
    refused(message: string) {
      // What was refused may be allowed at the next beat; it is said once.
      if (message !== complaint) log.warn(`polls cannot be held, for Redis does not say what is decided: ${message}`)
      complaint = message
    }
  }

  /** Whose channels are whose at this moment: undefined if nobody has some of them. */
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
    if (!isUp) servers.refresh()
  }

  function judge(): void {
    const wasUp = isUp
    // Whoever is told that it is back looks at once what was missed: not before that can be done.
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
