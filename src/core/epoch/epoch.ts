/**
 * Epochs: an operator ends everything that was issued before a moment, at once and on every instance. Authorizations with all of their
 * tokens, sessions of the pages and, if they say so, API keys compare the time they were made with that moment; nothing is written to
 * any of them. The moment outlives a restore that comes before it, and what a backup brings back is older than it.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { fault, isFault } from '../fault.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { type Ends, epochDetail, fromFields, later, toFields } from './ends.js'

/** There is one for all: its parent and its id. */
const PLACE = ['service', 'epoch'] as const
/** How often it is tried again when another operator begins one at the same moment. */
const TRIES = 5

/** An instance goes by what it has read for so long: then every instance knows of an epoch. */
export const KNOWN_AFTER_MS = 1_000
/** While the ends cannot be read, those that were read last hold for so long: a failover takes less. */
const LASTS_UNREAD_MS = 30_000

export interface Epoch {
  /** What has ended. Costs a call once a second, in the turn of whoever asks. Rejects with `unavailable`. */
  ends(): Promise<Ends>
  /** Ends what was issued before a moment, API keys only if that is said. Resolves to what has ended by now. Idempotent. */
  begin(beforeMs: number, what: { apiKeys: boolean }, by: Origin): Promise<Ends>
}

export interface EpochParts {
  records: RecordStore
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
}

export function createEpoch({ records, clock, audit }: EpochParts): Epoch {
  let held: Promise<Ends> | undefined
  let heldAtMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<Ends> | undefined
  let hasFailed = false

  const isWithin = (ms: number) => {
    const agoMs = clock() - heldAtMs
    return agoMs >= 0 && agoMs < ms
  }

  function hold(ends: Ends, atMs: number): Ends {
    held = Promise.resolve(ends)
    heldAtMs = atMs
    hasFailed = false
    return ends
  }

  async function read(): Promise<Ends> {
    const startedAtMs = clock()
    try {
      return hold(fromFields(await records.get(...PLACE)), startedAtMs)
    } catch (error) {
      hasFailed = true
      if (held && isFault(error) && isWithin(LASTS_UNREAD_MS)) return held
      throw error
    }
  }

  /** Notes new ends, of which none moves back, and resolves to those that stand. */
  async function note(ends: Ends): Promise<Ends> {
    let kept = await records.create(...PLACE, toFields(ends), clock() + FOR_EVER_MS)
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const standing = fromFields(kept)
      const next = later(standing, ends)
      if (next === standing) return standing
      const onlyIf = { field: 'beganAtMs', is: String(standing.beganAtMs) }
      const changed = await records.change(...PLACE, { onlyIf, set: toFields(next) })
      if (!changed) break
      kept = changed
    }
    throw fault('unavailable', { detail: 'others begin epochs at this moment' })
  }

  return {
    ends() {
      if (held && isWithin(KNOWN_AFTER_MS)) return held
      underWay ??= read().finally(() => {
        underWay = undefined
      })
      if (held && hasFailed && isWithin(LASTS_UNREAD_MS)) {
        // Nobody waits again and again for a server that does not answer. What this attempt comes to, the next caller sees.
        underWay.catch(() => {})
        return held
      }
      return underWay
    },

    async begin(beforeMs, { apiKeys }, by) {
      const nowMs = clock()
      const standing = hold(await note({ beforeMs, apiKeysBeforeMs: apiKeys ? beforeMs : 0, beganAtMs: nowMs }), nowMs)
      await audit.tell({ type: 'epoch.begun', ...by, detail: epochDetail(beforeMs, apiKeys) })
      return standing
    }
  }
}
