/**
 * Notices that data was lost: whatever else the storage has, its marker must be the one that it was, and go on from where it was. What
 * an instance cannot know is said in docs/operations.md: at its start it remembers nothing, and can only tell what looks odd.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import { BY_ITSELF } from '../audit/event.js'
import type { EventStore } from '../audit/event-store.js'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import type { SigningKeyStore } from '../tokens/signing-key.js'
import type { Beat, BeatReading, MarkerStore } from './marker-store.js'

const BEAT_EVERY_MS = 10_000
/** Instances beat so often that a longer pause at a start is a service that was stopped, or an older copy of the data. */
const PAUSE_MS = 300_000
/** Instances that start together make the first signing key and the marker in any order. */
const STARTED_TOGETHER_MS = 60_000

/**
 * `replaced`: the marker is another one. `gone_back`: a beat of this instance is missing. `trail_lost`: the trail has gone back behind an
 * event that the marker knows. `paused`: at the start, nobody has beaten for minutes. `unmarked`: at the start, there are keys of before
 * and no marker.
 */
export type DataLoss = 'replaced' | 'gone_back' | 'trail_lost' | 'paused' | 'unmarked'

export interface DataWatchEvents {
  dataLost(how: DataLoss, detail: string): void
  /** A beat failed, for another reason than an unreachable storage. */
  beatFailed(error: unknown): void
}

export interface DataWatch {
  /** One beat, and what it tells. Rejects with `unavailable`; what it could not tell is told by the next one. */
  beat(): Promise<void>
  /** Beats now and every few seconds, until `stop`, which waits for a beat that is under way. */
  start(): void
  stop(): Promise<void>
}

export interface DataWatchParts {
  store: MarkerStore
  signingKeys: Pick<SigningKeyStore, 'list'>
  trail: Pick<EventStore, 'before'>
  audit: Pick<AuditTrail, 'tell'>
  clock: Clock
  events: DataWatchEvents
}

export function createDataWatch(parts: DataWatchParts): DataWatch {
  const { store, signingKeys, trail, audit, clock, events } = parts
  const startedAtMs = clock()
  let last: Beat | undefined
  let newest: string | undefined
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  const untold: { how: DataLoss; detail: string }[] = []

  const lost = (how: DataLoss, detail: string) => untold.push({ how, detail })

  /** Without a beat of its own an instance goes by what it finds. */
  async function lookAtStart({ previousAtMs, nowMs }: BeatReading): Promise<void> {
    if (previousAtMs === undefined) {
      const isOlder = (await signingKeys.list()).some((key) => key.createdAtMs < startedAtMs - STARTED_TOGETHER_MS)
      if (isOlder) lost('unmarked', 'there are keys of before, and no marker')
    } else if (nowMs - previousAtMs > PAUSE_MS)
      lost('paused', `it is as it was at ${new Date(previousAtMs).toISOString()}`)
  }

  async function beat(): Promise<void> {
    const before = last
    const tag = randomBytes(9).toString('base64url')
    const reading = await store.beat(randomUUID(), tag, before, newest)
    const { marker, number, event, hasLast } = reading
    if (!before) await lookAtStart(reading)
    else if (marker !== before.marker) lost('replaced', `its marker is ${marker}, and was ${before.marker}`)
    else if (!hasLast) lost('gone_back', `of its marker, number ${before.number} is missing`)
    last = { marker, number, tag }
    // Read after the beat: what was noted before must be there by now.
    newest = (await trail.before(undefined, 1)).events[0]?.id
    if (event !== undefined && isEarlier(newest, event)) lost('trail_lost', `its trail ends before ${event}`)
    for (let one = untold[0]; one; one = untold[0]) {
      await audit.tell({ type: 'data.lost', ...BY_ITSELF, detail: `${one.how}: ${one.detail}` })
      untold.shift()
      events.dataLost(one.how, one.detail)
    }
  }

  async function beatNow(): Promise<void> {
    try {
      await beat()
    } catch (error) {
      if (!isFault(error)) events.beatFailed(error)
    }
  }

  function beatUnlessUnderWay(): void {
    underWay ??= beatNow().finally(() => {
      underWay = undefined
    })
  }

  return {
    beat,

    start() {
      beatUnlessUnderWay()
      timer ??= setInterval(beatUnlessUnderWay, BEAT_EVERY_MS).unref()
    },

    async stop() {
      clearInterval(timer)
      await underWay
    }
  }
}

/** Whether the id of an event is less than another, or there is none. */
function isEarlier(id: string | undefined, than: string): boolean {
  const [ms = 0, count = 0] = (id ?? '').split('-').map(Number)
  const [thanMs = 0, thanCount = 0] = than.split('-').map(Number)
  return ms < thanMs || (ms === thanMs && count < thanCount)
}
