/** Tells the audit trail that somebody reached the limit on guesses: once in its window, however often they go on. */
import { randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Told } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { GUESS_WINDOW_MS } from './guesses.js'
import { type LimitStore, limitKey } from './limits.js'

/** Caps what this instance remembers. Of who is forgotten the storage is asked again. */
const MOST_REMEMBERED = 10_000

/** Tells who was limited; `who` is an address, or a caller that is not counted by address. Rejects with `unavailable`. */
export type LimitedGuesses = (who: string, told: Omit<Told, 'type'>) => Promise<void>

export function createLimitedGuesses(
  store: Pick<LimitStore, 'take' | 'giveBack'>,
  audit: Pick<AuditTrail, 'tell'>,
  clock: Clock
): LimitedGuesses {
  /** Until when nothing more is told of somebody. */
  const silentUntilMs = createBoundedCache<number>(MOST_REMEMBERED)

  return async (who, told) => {
    if ((silentUntilMs.get(who) ?? 0) > clock()) return
    const [key, id] = [limitKey('guesses-told', who), randomUUID()]
    const isToldOf = await store.take(key, id, 1, GUESS_WINDOW_MS)
    try {
      if (!isToldOf) await audit.tell({ type: 'guesses.limited', ...told })
    } catch (error) {
      await store.giveBack(key, id)
      throw error
    }
    silentUntilMs.set(who, clock() + (isToldOf?.freeInMs ?? GUESS_WINDOW_MS))
  }
}
