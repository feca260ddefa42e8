/**
 * Delivers the events of the trail to one endpoint, while this instance leads. What fails waits in the storage for its next attempt and
 * holds back what must come after it, nobody else. So much may wait; beyond that nothing is read, and events stay in the trail.
 */
import type { EventStore } from '../audit/event-store.js'
import type { Clock } from '../clock.js'
import { deliveryIdOf, type FailedDelivery, GIVE_UP_AFTER_MS, type Outcome, restAfter } from './delivery.js'
import { isWanted, type WebhookEndpoint } from './endpoint.js'
import { beginningAt, createProgress } from './endpoint-progress.js'
import { createSaves } from './saves.js'
import type { Send } from './sender.js'
import { createWaitingList, type Waiting } from './waiting-list.js'
import { type Gap, MOST_GAPS, type WebhookStore } from './webhook-store.js'

/** How many deliveries of one endpoint may wait, in memory and in the storage. */
export const MOST_WAITING = 500
/** How many attempts of one endpoint are under way at a time. */
export const ATTEMPTS_AT_ONCE = 8
/** An endpoint fails when so many attempts in a row did, so that one event that is not taken is not told each time. */
const FAILS_AT = 3
/** How often it is looked whether an operator wants something. */
const LOOK_EVERY_MS = 2_000

/** Callbacks for metrics and logs. */
export interface WebhookEvents {
  webhookAttempted(endpointId: string, outcome: Outcome): void
  /** An endpoint fails, is stopped by 410, or takes events again. */
  webhookTurned(endpointId: string, outcome: Outcome): void
  webhookGivenUp(endpointId: string, deliveryId: string): void
  webhookGap(endpointId: string, gap: Gap): void
  webhooksFailed(error: unknown): void
}

export interface EndpointParts {
  endpoint: WebhookEndpoint
  store: WebhookStore
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
  const { endpoint, store, trail, send, clock, told, token, isLeading, lost, beginsAtMs } = parts
  const waiting = createWaitingList()
  const saves = createSaves((changes) => store.write(endpoint.id, token, changes), lost)
  const ended = new AbortController()
  const underWay = new Set<Promise<void>>()
  const progress = createProgress(trail, (eventId) => waiting.get(deliveryIdOf(eventId, endpoint.id))?.isStored ?? true)
  let gaps: Gap[] = []
  let stoppedAtMs: number | undefined
  let failed = 0
  let isLoaded = false
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let failures = 0

  async function load(): Promise<void> {
    const [state, held] = await Promise.all([store.state(endpoint.id), store.held(endpoint.id)])
    for (const delivery of held) waiting.add(delivery, true)
    gaps = state.gaps
    const cursor = state.cursor ?? (await beginningAt(trail, beginsAtMs))
    if (!state.cursor) saves.add({ kind: 'cursor', cursor })
    progress.goTo(cursor)
    isLoaded = true
  }

  /** What operators and other leaders have changed. */
  async function look(): Promise<void> {
    if (clock() - lookedAtMs < LOOK_EVERY_MS) return
    const counts = await store.counts(endpoint.id)
    lookedAtMs = clock()
    failed = counts.failed
    // A stop of our own that is not saved yet counts.
    if (saves.isEmpty()) stoppedAtMs = counts.stoppedAtMs
    if (counts.resent === 0 || waiting.size() >= MOST_WAITING) return
    for (const { order, ...delivery } of await store.resent(endpoint.id)) {
      if (waiting.size() >= MOST_WAITING) break
      const anew = { ...delivery, takenAtMs: clock(), attempts: 0, nextAtMs: clock() }
      const added = waiting.add(anew, true)
      if (added) hold(added)
    }
  }

  function hold(delivery: Waiting): void {
    const { isStored, isUnderWay, ...kept } = delivery
    delivery.isStored = true
    saves.add({ kind: 'hold', delivery: kept })
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
    tell(outcome)
    settle(delivery, outcome)
    // The next attempt begins in a turn of its own, when this one's place is free.
    setImmediate(goOn)
  }

  function tell(outcome: Outcome): void {
    told.webhookAttempted(endpoint.id, outcome)
    const failuresBefore = failures
    failures = outcome === 'delivered' ? 0 : failures + 1
    const isBackAgain = failures === 0 && failuresBefore >= FAILS_AT
    const isFirstGone = outcome === 'gone' && stoppedAtMs === undefined
    if (failures === FAILS_AT || isBackAgain || isFirstGone) told.webhookTurned(endpoint.id, outcome)
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
