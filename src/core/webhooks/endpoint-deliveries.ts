/**
 * Delivers the events of the trail to one endpoint, while this instance leads. What fails waits in the storage for its next attempt and
 * holds back what must come after it, nobody else. So much may wait; beyond that nothing is read, and events stay in the trail.
 */
import type { EventStore } from '../audit/event-store.js'
import type { Clock } from '../clock.js'
import { type Gap, MOST_GAPS } from './cursor.js'
import { deliveryIdOf, type FailedDelivery, GIVE_UP_AFTER_MS, type Outcome, restAfter } from './delivery.js'
import { isWanted, type WebhookEndpoint } from './endpoint.js'
import { beginningAt, createProgress } from './endpoint-progress.js'
import { createSaves } from './saves.js'
import type { Send } from './sender.js'
import { createTelling, type WebhookEvents } from './telling.js'
import { createWaitingList, type Waiting } from './waiting-list.js'
import type { WebhookState } from './webhook-state.js'

/** How many deliveries of one endpoint may wait, in memory and in the storage. */
export const MOST_WAITING = 500
/** How many attempts of one endpoint are under way at a time. */
export const ATTEMPTS_AT_ONCE = 8
/** How often it is looked whether an operator wants something. */
const LOOK_EVERY_MS = 2_000

export interface EndpointParts {
  endpoint: WebhookEndpoint
  state: WebhookState
  trail: EventStore
  send: Send
  clock: Clock
  told: WebhookEvents
  /** The fencing token of this instance's lead. */
  token: number
  /** Whether an attempt may begin: the lead is surely this instance's. */
  isLeading(): boolean
  /** Called when another instance has taken the lead. */
  lost(): void
  /** An endpoint that is new gets what happened since. */
  beginsAtMs: number
}

export type EndpointDeliveries = ReturnType<typeof createEndpointDeliveries>

export function createEndpointDeliveries(parts: EndpointParts) {
  const { endpoint, state, trail, send, clock, told, token, isLeading, lost, beginsAtMs } = parts
  const waiting = createWaitingList()
  const saves = createSaves((changes) => state.write(endpoint.id, token, changes), lost)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const progress = createProgress(trail, (eventId) => waiting.get(deliveryIdOf(eventId, endpoint.id))?.isStored ?? true)
  let gaps: Gap[] = []
  let stoppedAtMs: number | undefined
  let failed = 0
  let wake = ''
  let isLoaded = false
  let lookedAtMs = Number.NEGATIVE_INFINITY
  const tell = createTelling(endpoint.id, told)

  async function load(): Promise<void> {
    const kept = await state.state(endpoint.id)
    gaps = kept.gaps
    const cursor = kept.cursor ?? (await beginningAt(trail, beginsAtMs))
    if (!kept.cursor) saves.add({ kind: 'cursor', cursor })
    await takeHeld()
    progress.goTo(cursor)
    isLoaded = true
  }

  /** What operators and other leaders have changed. */
  async function look(): Promise<void> {
    if (clock() - lookedAtMs < LOOK_EVERY_MS) return
    const [kept, counts] = await Promise.all([state.state(endpoint.id), state.counts(endpoint.id)])
    lookedAtMs = clock()
    failed = counts.failed
    // A stop of our own that is not saved yet counts.
    if (saves.isEmpty()) stoppedAtMs = kept.stoppedAtMs
    if (kept.wake === wake) return
    // What is delivered must be gone there before it is looked what waits.
    await saves.save()
    await takeHeld()
    wake = kept.wake
  }

  /** What waits in the storage, also what an operator put there. */
  async function takeHeld(): Promise<void> {
    for (const delivery of await state.held(endpoint.id)) waiting.add(delivery, true)
  }

  function hold(delivery: Waiting): void {
    const { isStored, isUnderWay, ...kept } = delivery
    delivery.isStored = true
    saves.add({ kind: isStored ? 'rehold' : 'hold', delivery: kept })
  }

  /** Reads a page of the trail. Resolves to whether there is more at once. */
  async function read(): Promise<boolean> {
    const room = MOST_WAITING - waiting.size()
    if (room <= 0) return false
    const { events, isMore, gap } = await progress.read(room)
    if (gap) {
      gaps = [...gaps, gap].slice(-MOST_GAPS)
      saves.add({ kind: 'gaps', gaps })
      told.webhookGap(endpoint.id, gap)
    }
    const nowMs = clock()
    for (const event of events) {
      if (!isWanted(endpoint, event.type)) continue
      const id = deliveryIdOf(event.id, endpoint.id)
      waiting.add({ id, event, takenAtMs: nowMs, attempts: 0, nextAtMs: nowMs }, false)
    }
    return isMore
  }

  function begin(): void {
    if (stoppedAtMs !== undefined || ended.signal.aborted || saves.isStuck() || !isLeading()) return
    const { due, behind } = waiting.look(clock(), ATTEMPTS_AT_ONCE - underWay.size)
    for (const delivery of behind) hold(delivery)
    for (const delivery of due) {
      delivery.isUnderWay = true
      const attempt = attemptOf(delivery).finally(() => underWay.delete(attempt))
      underWay.add(attempt)
    }
  }

  async function attemptOf(delivery: Waiting): Promise<void> {
    const outcome = await send(endpoint, delivery, ended.signal)
    delivery.isUnderWay = false
    if (ended.signal.aborted) return
    tell(outcome, stoppedAtMs !== undefined)
    settle(delivery, outcome)
    // The next attempt begins in a turn of its own, when this one's place is free.
    setImmediate(goOn)
  }

  function settle(delivery: Waiting, outcome: Outcome): void {
    const nowMs = clock()
    if (outcome === 'delivered') {
      waiting.remove(delivery.id)
      if (delivery.isStored) saves.add({ kind: 'drop', deliveryId: delivery.id })
      return
    }
    delivery.attempts += 1
    delivery.lastOutcome = outcome
    delivery.nextAtMs = nowMs + restAfter(delivery.attempts)
    if (outcome === 'gone') {
      stoppedAtMs = nowMs
      delivery.nextAtMs = nowMs
      saves.add({ kind: 'stop', atMs: nowMs })
    } else if (delivery.nextAtMs > delivery.takenAtMs + GIVE_UP_AFTER_MS) {
      waiting.remove(delivery.id)
      const { isStored, isUnderWay, ...kept } = delivery
      const given: FailedDelivery = { ...kept, failedAtMs: nowMs }
      saves.add({ kind: 'fail', delivery: given })
      failed += 1
      told.webhookGivenUp(endpoint.id, delivery.id)
      return
    }
    hold(delivery)
  }

  function goOn(): void {
    begin()
    const moved = progress.advance()
    if (moved) saves.add({ kind: 'cursor', cursor: moved })
    saves.save().catch(told.webhooksFailed)
  }

  return {
    /** Reads, begins attempts and saves. Resolves to whether there is more to read at once. Rejects with `unavailable`. */
    async step(): Promise<boolean> {
      if (ended.signal.aborted) return false
      if (!isLoaded) await load()
      await look()
      const isMore = stoppedAtMs === undefined && (await read())
      goOn()
      return isMore
    },

    /** Resolves when no attempt is under way and everything is saved that can be. */
    async settled(): Promise<void> {
      while (underWay.size > 0) await Promise.all(underWay)
      await saves.save()
    },

    /** What the metrics say of it. */
    status: () => ({ oldestAtMs: waiting.oldestAtMs(), failed, isStopped: stoppedAtMs !== undefined }),

    /** Ends the attempts under way, which count as not made, and saves what there is. */
    async end(): Promise<void> {
      ended.abort()
      await Promise.all(underWay)
      await saves.save()
    }
  }
}
