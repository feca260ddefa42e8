/**
 * Delivers the events of the trail to one endpoint, while this instance leads. What fails waits in the storage and holds back what must
 * come after it, nobody else. So much may wait; beyond that nothing is read, and events stay in the trail.
 */
import type { AuditEvent } from '../audit/event.js'
import type { EventStore } from '../audit/event-store.js'
import { placeBefore } from '../audit/trail-place.js'
import { type AttemptParts, createAttempts } from './attempts.js'
import { type Gap, MOST_GAPS } from './cursor.js'
import { deliveryIdOf } from './delivery.js'
import { isWanted } from './endpoint.js'
import { createProgress } from './endpoint-progress.js'
import { createSaves } from './saves.js'
import type { EndpointStatus } from './telling.js'
import { createWaitingList } from './waiting-list.js'
import type { WebhookState } from './webhook-state.js'

/** How many deliveries of one endpoint may wait, in memory and in the storage. */
export const MOST_WAITING = 500
/** How often it is looked whether an operator wants something. */
const LOOK_EVERY_MS = 2_000

export interface EndpointParts extends Omit<AttemptParts, 'waiting' | 'saves' | 'goOn'> {
  state: WebhookState
  trail: EventStore
  /** This instance, by a name that no other has. */
  leader: string
  /** Called when another instance has taken the lead. */
  lost(): void
  /** An endpoint that is new gets what happened since. */
  beginsAtMs: number
}

export type EndpointDeliveries = ReturnType<typeof createEndpointDeliveries>

export function createEndpointDeliveries(parts: EndpointParts) {
  const { endpoint, state, trail, clock, told, leader, lost, beginsAtMs } = parts
  const waiting = createWaitingList()
  const saves = createSaves((changes) => state.write(endpoint.id, fencingToken, changes), lost)
  const attempts = createAttempts({ ...parts, waiting, saves, goOn })
  const progress = createProgress(trail, (eventId) => waiting.get(deliveryIdOf(eventId, endpoint.id))?.isStored ?? true)
  /** What is being taken over, and was not told yet. */
  const begun = new Set<string>()
  let gaps: Gap[] = []
  let wake = ''
  let fencingToken = 0
  let isLoaded = false
  let lookedAtMs = Number.NEGATIVE_INFINITY

  async function load(): Promise<void> {
    fencingToken = await state.claim(endpoint.id, leader)
    const kept = await state.state(endpoint.id)
    gaps = kept.gaps
    const cursor = kept.cursor ?? (await placeBefore(trail, beginsAtMs))
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
    attempts.standing.failed = counts.failed
    attempts.standing.resumedAtMs = kept.resumedAtMs
    // A stop of our own that is not saved yet counts.
    if (saves.isEmpty()) attempts.standing.stoppedAtMs = kept.stoppedAtMs
    if (kept.wake === wake) return
    // What is delivered or given up must be gone there before it is looked what waits: what was sent again has the same id.
    await saves.save()
    if (!saves.isEmpty()) return
    await takeHeld()
    wake = kept.wake
  }

  /** What waits in the storage, also what an operator put there. */
  async function takeHeld(): Promise<void> {
    const held = await state.takeOver(endpoint.id, fencingToken, begun)
    if (held === 'stale') lost()
    else for (const delivery of held) waiting.add(delivery, true)
  }

  /** Reads a page of the trail. Resolves to whether there is more at once. */
  async function read(): Promise<boolean> {
    const room = MOST_WAITING - waiting.size()
    if (room <= 0) return false
    const { isMore, gap, isLost } = await progress.read(room, take)
    // What was written with the lost end may be lost as well, and is known here.
    if (isLost) for (const delivery of waiting.all()) attempts.hold(delivery)
    if (gap) {
      gaps = [...gaps, gap].slice(-MOST_GAPS)
      saves.add({ kind: 'gaps', gaps })
      told.webhookGap(endpoint.id, gap)
    }
    return isMore
  }

  function take(event: AuditEvent): void {
    if (!isWanted(endpoint, event.type)) return
    const [id, nowMs] = [deliveryIdOf(event.id, endpoint.id), clock()]
    waiting.add({ id, event, takenAtMs: nowMs, attempts: 0, nextAtMs: nowMs }, false)
  }

  function goOn(): void {
    attempts.begin()
    const moved = progress.advance()
    if (moved) saves.add({ kind: 'cursor', cursor: moved })
    saves.save().catch(told.webhooksFailed)
  }

  return {
    /** Reads, begins attempts and saves. Resolves to whether there is more to read at once. Rejects with `unavailable`. */
    async step(): Promise<boolean> {
      if (attempts.hasEnded()) return false
      if (!isLoaded) await load()
      await look()
      const isMore = attempts.standing.stoppedAtMs === undefined && (await read())
      goOn()
      return isMore
    },

    /** Resolves when no attempt is under way and everything is saved that can be. */
    async settled(): Promise<void> {
      await attempts.settled()
      await saves.save()
    },

    /** What the metrics say of it. */
    status: (): EndpointStatus => ({ oldestAtMs: waiting.oldestAtMs(), ...attempts.status() }),

    /** Breaks off the attempts under way, which count as not made. Nothing begins any more. */
    breakOff: attempts.breakOff,

    /** The same, and saves what there is. */
    async end(): Promise<void> {
      await attempts.end()
      await saves.save()
    }
  }
}
