/**
 * Notices that data was lost: whatever else the storage has, its marker must be the one that it was, and go on from where it was. What
 * an instance cannot know is said in docs/operations.md: at its start it remembers nothing, and can only tell what looks odd.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import type { SigningKeyStore } from '../tokens/signing-key.js'
import type { Beat, MarkerStore } from './marker-store.js'

const BEAT_EVERY_MS = 10_000
/** Instances beat so often that a longer pause at a start is a service that was stopped, or an older copy of the data. */
const PAUSE_MS = 300_000
/** Instances that start together make the first signing key and the marker in any order. */
const STARTED_TOGETHER_MS = 60_000

/**
 * `replaced`: the marker is another one. `gone_back`: a beat of this instance is missing. `paused`: at the start, nobody has beaten for
 * minutes. `unmarked`: at the start, there are keys of before and no marker.
 */
export type DataLoss = 'replaced' | 'gone_back' | 'paused' | 'unmarked'

export interface DataWatchEvents {
  dataLost(how: DataLoss, detail: string): void
  /** A beat failed, for another reason than an unreachable storage. */
  beatFailed(error: unknown): void
}

export interface DataWatch {
  /** One beat, and what it tells. Rejects with `unavailable`. */
  beat(): Promise<void>
  /** Beats now and every few seconds, until `stop`, which waits for a beat that is under way. */
  start(): void
  stop(): Promise<void>
}

export interface DataWatchParts {
  store: MarkerStore
  signingKeys: Pick<SigningKeyStore, 'list'>
  clock: Clock
  events: DataWatchEvents
}

export function createDataWatch({ store, signingKeys, clock, events }: DataWatchParts): DataWatch {
  const startedAtMs = clock()
  let last: Beat | undefined
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined

  /** Without a beat of its own an instance goes by what it finds. */
  async function lookAtStart(previousAtMs: number | undefined, nowMs: number): Promise<void> {
    if (previousAtMs === undefined) {
      const isOlder = (await signingKeys.list()).some((key) => key.createdAtMs < startedAtMs - STARTED_TOGETHER_MS)
      if (isOlder) events.dataLost('unmarked', 'there are keys of before, and no marker')
    } else if (nowMs - previousAtMs > PAUSE_MS) {
      events.dataLost('paused', `it is as it was at ${new Date(previousAtMs).toISOString()}`)
    }
  }

  async function beat(): Promise<void> {
    const before = last
    const tag = randomBytes(9).toString('base64url')
    const { marker, number, previousAtMs, nowMs, hasLast } = await store.beat(randomUUID(), tag, before)
    last = { marker, number, tag }
    if (!before) return lookAtStart(previousAtMs, nowMs)
    if (marker !== before.marker) events.dataLost('replaced', `its marker is ${marker}, and was ${before.marker}`)
    else if (!hasLast) events.dataLost('gone_back', `of its marker, number ${before.number} is missing`)
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
