/**
 * Decisions by pub/sub: one channel for all, one connection per instance that listens to it. What a decision costs does not
 * depend on how many wait, and a wait costs Redis nothing.
 */
import { Redis } from 'ioredis'
import type { DecisionFeed, DecisionListener } from '../../grants/decision-feed.js'
import { CONNECTION_OPTIONS, type Log } from './connection.js'

/** How often the connection must show that it is alive: a subscriber that hears nothing could also be deaf. */
const BEAT_EVERY_MS = 1_000

export interface RedisDecisionFeed extends DecisionFeed {
  /** Resolves when it is up, or after `withinMs` in any case. */
  settle(withinMs: number): Promise<void>
  close(): void
}

export function createRedisDecisionFeed(url: string, channel: string, log: Log): RedisDecisionFeed {
  const redis = new Redis(url, { ...CONNECTION_OPTIONS, connectionName: 'grantd-subscriber', autoResubscribe: false })
  const listeners: DecisionListener[] = []
  const settled: (() => void)[] = []
  let isUp = false
  let complaint = ''

  async function beat(): Promise<void> {
    if (redis.status !== 'ready') return
    try {
      if (isUp) await redis.ping()
      else await subscribe()
    } catch (error) {
      // A connection that broke comes back by itself; what was refused may be allowed at the next beat.
      const message = error instanceof Error ? error.message : String(error)
      if (message !== complaint) log.warn(`polls cannot be held, for Redis does not say what is decided: ${message}`)
      complaint = message
    }
  }

  async function subscribe(): Promise<void> {
    await redis.subscribe(channel)
    isUp = true
    complaint = ''
    for (const { resumed } of listeners) resumed()
    for (const resolve of settled.splice(0)) resolve()
  }

  redis.on('ready', beat)
  redis.on('message', (_channel, grantDigest: string) => {
    for (const { decided } of listeners) decided(grantDigest)
  })
  redis.on('close', () => {
    isUp = false
  })
  // That Redis is away is said once, by the connection that commands go over.
  redis.on('error', () => {})
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
      redis.disconnect()
    }
  }
}
