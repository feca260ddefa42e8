/**
 * Notices that data was lost: whatever else the storage has, its marker must be the one that it was, with all beats that were noted. What
 * an instance cannot know is said in docs/operations.md: at its start it remembers nothing, and can only tell what looks odd.
 */
import { randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import { BY_ITSELF } from '../audit/event.js'
import { type EventReader, isEarlier } from '../audit/event-store.js'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import { fieldsLike, Text, TimeText } from '../records/readable.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { SigningKeyStore } from '../tokens/signing-key.js'
import { beatFieldOf, isStale, staleBeats } from './beats.js'
import type { DataLoss, DataWatchEvents } from './data-loss.js'

/** The marker: one record, which has an id and the last beat of every instance. */
export const isMarker = fieldsLike({ id: Text, atMs: TimeText }, { event: Text })
const PLACE = ['service', 'marker'] as const

const BEAT_EVERY_MS = 10_000
/** Instances beat so often that a longer pause at a start is a service that was stopped, or an older copy of the data. */
const PAUSE_MS = 300_000
/** Instances that start together make the first signing key and the marker in any order. */
const STARTED_TOGETHER_MS = 60_000

export interface DataWatch {
  /** One beat, and what it tells. Rejects with `unavailable`; what it could not tell is told by the next one. */
  beat(): Promise<void>
  /** Beats now and every few seconds, until `stop`, which waits for a beat that is under way. */
  start(): void
  stop(): Promise<void>
}

export interface DataWatchParts {
  records: RecordStore
  signingKeys: Pick<SigningKeyStore, 'list'>
  trail: Pick<EventReader, 'before'>
  audit: Pick<AuditTrail, 'tell'>
  clock: Clock
  events: DataWatchEvents
}

export function createDataWatch(parts: DataWatchParts): DataWatch {
  const { records, signingKeys, trail, audit, clock, events } = parts
  const startedAtMs = clock()
  const mine = beatFieldOf(randomUUID())
  let known: string | undefined
  let lastMs = 0
  /** What the marker may have of this instance: its last beat, and those of which it is not known whether they were noted. */
  let mayHave = new Set<string | undefined>([undefined])
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  const untold: { how: DataLoss; detail: string }[] = []

  const lost = (how: DataLoss, detail: string) => untold.push({ how, detail })

  /** Without a beat of its own an instance goes by what it finds. */
  async function lookAtStart(isNew: boolean, previousAtMs: number, nowMs: number): Promise<void> {
    if (!isNew) {
      const isPaused = nowMs - previousAtMs > PAUSE_MS
      if (isPaused) lost('paused', `it is as it was at ${new Date(previousAtMs).toISOString()}`)
    } else if ((await signingKeys.list()).some((key) => key.createdAtMs < startedAtMs - STARTED_TOGETHER_MS)) {
      lost('unmarked', 'there are keys of before, and no marker')
    }
  }

  async function beat(): Promise<void> {
    const nowMs = clock()
    const newId = randomUUID()
    const first = { id: newId, atMs: String(nowMs), madeAtMs: String(nowMs) }
    const found = await records.create(...PLACE, first, nowMs + FOR_EVER_MS)
    const marker = found.id ?? ''
    if (known === undefined) await lookAtStart(marker === newId, Number(found.atMs), nowMs)
    else if (marker !== known) lost('replaced', `its marker is ${marker}, and was ${known}`)
    // Others clear what is old, as after a process was stopped for an hour.
    else if (!mayHave.has(found[mine]) && !isStale(lastMs, nowMs)) {
      lost('gone_back', `the beat of ${new Date(lastMs).toISOString()} is missing`)
    }
    // What is noticed is noticed once, though the rest of this beat should fail.
    mayHave.add(found[mine])
    known = marker
    // Read after what was noted before, which must be there by now.
    const newest = (await trail.before(undefined, 1)).events[0]?.id
    if (found.event !== undefined && isEarlier(newest, found.event))
      lost('trail_lost', `its trail ends before ${found.event}`)
    // The same time twice is no other beat.
    lastMs = Math.max(nowMs, lastMs + 1)
    const value = String(lastMs)
    const set = { atMs: String(nowMs), [mine]: value, ...(newest !== undefined && { event: newest }) }
    mayHave.add(value)
    const clear = [...staleBeats(found, nowMs), ...(newest === undefined ? ['event'] : [])]
    await records.change(...PLACE, { set, clear })
    mayHave = new Set([value])
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
