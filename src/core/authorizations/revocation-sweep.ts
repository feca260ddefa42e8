/** What is left to do in the revocation feed, looked for every few seconds by every instance: revocations that nobody finished. */
import { isFault } from '../fault.js'
import { type RevocationStore, SWEPT_AT_ONCE } from './revocation-store.js'
import type { Revoking } from './revoking.js'

const SWEEP_EVERY_MS = 5_000
/** By then whoever announced it has finished, or gave up: no request takes so long. */
const LEFT_AFTER_MS = 10_000
/** A sweep ends after so many steps, and goes on with the next one. */
const MOST_STEPS = 20

export interface RevocationSweep {
  /** Finishes what was announced and left, and drops entries of the feed that have ended. Rejects with `unavailable`. */
  sweep(): Promise<void>
  /** Sweeps every few seconds, until `stop`, which waits for one that is under way. */
  start(): void
  stop(): Promise<void>
}

/** `failed` is told of a sweep that failed for another reason than an unreachable storage. */
export function createRevocationSweep(
  store: RevocationStore,
  revoking: Pick<Revoking, 'finish'>,
  failed: (error: unknown) => void
): RevocationSweep {
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined

  async function sweep(): Promise<void> {
    for (let step = 0; step < MOST_STEPS; step++) {
      const { unfinished, dropped } = await store.sweep(LEFT_AFTER_MS)
      for (const { userId, authorizationId } of unfinished) {
        try {
          await revoking.finish(userId, authorizationId)
        } catch (error) {
          // One that cannot be revoked now keeps nobody from revoking the others, and is tried again.
          if (!isFault(error)) throw error
        }
      }
      if (Math.max(unfinished.length, dropped) < SWEPT_AT_ONCE) return
    }
  }

  async function sweepNow(): Promise<void> {
    try {
      await sweep()
    } catch (error) {
      if (!isFault(error)) failed(error)
    }
  }

  return {
    sweep,

    start() {
      timer ??= setInterval(() => {
        underWay ??= sweepNow().finally(() => {
          underWay = undefined
        })
      }, SWEEP_EVERY_MS).unref()
    },

    async stop() {
      clearInterval(timer)
      await underWay
    }
  }
}
