/** The attempts at one endpoint: which begin, so many at a time, and what becomes of a delivery after one. */
import type { Clock } from '../clock.js'
import { type Attempted, GIVE_UP_AFTER_MS, type Outcome, restAfter } from './delivery.js'
import type { WebhookEndpoint } from './endpoint.js'
import type { Saves } from './saves.js'
import type { Send } from './sender.js'
import { createTelling, type WebhookEvents } from './telling.js'
import type { WaitingDelivery, WaitingList } from './waiting-list.js'

/** How many attempts of one endpoint are under way at a time. */
export const ATTEMPTS_AT_ONCE = 8

export interface AttemptParts {
  endpoint: WebhookEndpoint
  waiting: WaitingList
  saves: Saves
  send: Send
  clock: Clock
  told: WebhookEvents
  /** Whether an attempt may begin: the lead is surely this instance's. */
  isLeading(): boolean
  /** Called in a turn of its own when an attempt is over and its place is free. */
  goOn(): void
}

interface DeliveryStanding {
  /** Since when the receiver is gone. */
  stoppedAtMs: number | undefined
  /** Since when it is let go on, if it was ever stopped. */
  resumedAtMs: number | undefined
  /** How many deliveries are listed as given up. */
  failed: number
}

export function createAttempts(parts: AttemptParts) {
  const { endpoint, waiting, saves, send, clock, told, isLeading, goOn } = parts
  const tell = createTelling(endpoint.id, told)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const standing: DeliveryStanding = { stoppedAtMs: undefined, resumedAtMs: undefined, failed: 0 }

  /** Keeps a delivery in the storage, as it is now. */
  function hold(delivery: WaitingDelivery): void {
    const { isStored, isUnderWay, ...kept } = delivery
    delivery.isStored = true
    saves.add({ kind: 'hold', delivery: kept })
  }

  function settle(delivery: WaitingDelivery, outcome: Outcome): void {
    const nowMs = clock()
    if (outcome === 'delivered') {
      waiting.remove(delivery.id)
      if (delivery.isStored) saves.add({ kind: 'drop', delivery: { id: delivery.id } })
      return
    }
    delivery.attempts += 1
    delivery.lastOutcome = outcome
    delivery.nextAtMs = nowMs + restAfter(delivery.attempts)
    if (outcome === 'gone') {
      standing.stoppedAtMs = nowMs
      delivery.nextAtMs = nowMs
      saves.add({ kind: 'stop', atMs: nowMs })
    } else if (delivery.nextAtMs > Math.max(delivery.takenAtMs, standing.resumedAtMs ?? 0) + GIVE_UP_AFTER_MS) {
      giveUp(delivery, nowMs)
      return
    }
    hold(delivery)
  }

  function giveUp({ isStored, isUnderWay, ...delivery }: WaitingDelivery, failedAtMs: number): void {
    waiting.remove(delivery.id)
    saves.add({ kind: 'fail', delivery: { ...delivery, failedAtMs } })
    standing.failed += 1
    told.webhookGivenUp(endpoint.id, delivery.id)
  }

  /** An error of our own, which reached nobody, and is tried again like any failure. */
  function brokenBy(error: unknown): Attempted {
    told.webhooksFailed(error)
    return { outcome: 'unreachable' }
  }

  async function attemptOf(delivery: WaitingDelivery): Promise<void> {
    const attempted = await send(endpoint, delivery, ended.signal).catch(brokenBy)
    delivery.isUnderWay = false
    if (ended.signal.aborted) return
    tell(attempted, standing.stoppedAtMs !== undefined)
    settle(delivery, attempted.outcome)
    setImmediate(goOn)
  }

  return {
    standing,
    status: () => ({ failed: standing.failed, isStopped: standing.stoppedAtMs !== undefined }),
    hasEnded: () => ended.signal.aborted,

    begin(): void {
      if (!isLeading() || standing.stoppedAtMs !== undefined || ended.signal.aborted || saves.isStuck()) return
      const { due, behind } = waiting.look(clock(), ATTEMPTS_AT_ONCE - underWay.size)
      for (const delivery of behind) hold(delivery)
      for (const delivery of due) {
        delivery.isUnderWay = true
        const attempt = attemptOf(delivery).finally(() => underWay.delete(attempt))
        underWay.add(attempt)
      }
    },

    /** Resolves when none is under way. */
    async settled(): Promise<void> {
      while (underWay.size > 0) await Promise.all(underWay)
    },

    /** Breaks off those that are under way, which count as not made. None begins any more. */
    breakOff: () => ended.abort(),

    async end(): Promise<void> {
      ended.abort()
      await Promise.all(underWay)
    },

    hold
  }
}
