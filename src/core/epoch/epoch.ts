/**
 * Epochs: an operator ends everything that was issued before a moment, at once and on every instance. Authorizations with all of their
 * tokens, sessions of the pages and, if they say so, API keys compare the time they were made with that moment; nothing is written to
 * any of them. The moment outlives a restore that comes before it, and what a backup brings back is older than it.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'

/** What has ended; all zero while there was no epoch. */
export interface Ends {
  /** What was approved, collected or signed in to before this has ended. */
  beforeMs: number
  /** API keys that were made before this have ended. */
  apiKeysBeforeMs: number
  /** When the operator said so. */
  beganAtMs: number
}

export const NO_EPOCH: Ends = { beforeMs: 0, apiKeysBeforeMs: 0, beganAtMs: 0 }

export interface EpochStore {
  /** Rejects with `unavailable`. */
  read(): Promise<Ends>
  /** Notes new ends, of which none moves back, and resolves to those that stand. Idempotent. Rejects with `unavailable`. */
  begin(ends: Ends): Promise<Ends>
}

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
  store: EpochStore
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
}

const DETAIL = /^before (\S+?)(, API keys as well)?$/

/** What an epoch ends, as its event says it in `detail`; undefined if that is no such text. */
export function readEpochDetail(detail: string): { beforeMs: number; apiKeys: boolean } | undefined {
  const [, before = '', apiKeys] = DETAIL.exec(detail) ?? []
  const beforeMs = Date.parse(before)
  return Number.isNaN(beforeMs) ? undefined : { beforeMs, apiKeys: apiKeys !== undefined }
}

export function createEpoch({ store, clock, audit }: EpochParts): Epoch {
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
      return hold(await store.read(), startedAtMs)
    } catch (error) {
      hasFailed = true
      if (held && isFault(error) && isWithin(LASTS_UNREAD_MS)) return held
      throw error
    }
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
      const ends = { beforeMs, apiKeysBeforeMs: apiKeys ? beforeMs : 0, beganAtMs: nowMs }
      const standing = hold(await store.begin(ends), nowMs)
      const detail = `before ${new Date(beforeMs).toISOString()}${apiKeys ? ', API keys as well' : ''}`
      await audit.tell({ type: 'epoch.begun', ...by, detail })
      return standing
    }
  }
}
