/**
 * Tells what happens: to the store of events, and to whoever writes it down elsewhere. An event is told after what it tells and before
 * that is acknowledged, so that what was acknowledged is told at least once; what was not may be told as well.
 */
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { type Told, type WireEvent, wireFormOf } from './event.js'
import type { EventStore } from './event-store.js'

/** Caps what this instance remembers to have told. What is forgotten may be told again. */
const MOST_REMEMBERED = 10_000

export interface AuditTrail {
  /** Tells events, in this order. They leave with the other commands of the turn. Rejects with `unavailable`, and may be repeated. */
  tell(...events: Told[]): Promise<void>
  /** Tells of a grant or an authorization what may come again, unless this instance has told it already. Rejects like `tell`. */
  tellOnce(event: Told): Promise<void>
}

export interface AuditTrailParts {
  store: Pick<EventStore, 'add'>
  clock: Clock
  /** Called with every event that is told, once the store has it. */
  told?: ((event: WireEvent) => void) | undefined
}

export function createAuditTrail({ store, clock, told }: AuditTrailParts): AuditTrail {
  const remembered = createBoundedCache<Promise<void>>(MOST_REMEMBERED)

  async function tell(...events: Told[]): Promise<void> {
    const atMs = clock()
    const ids = await store.add(events, atMs)
    if (told) for (const [i, event] of events.entries()) told(wireFormOf({ ...event, id: ids[i], atMs }))
  }

  return {
    tell,

    tellOnce(event) {
      const key = nameOf(event)
      const known = remembered.get(key)
      if (known) return known
      // Who asks while it is told waits for the same telling; one that failed is forgotten, and told again.
      const telling = tell(event).catch((error) => {
        remembered.delete(key)
        throw error
      })
      remembered.set(key, telling)
      return telling
    }
  }
}

/** What makes two events the same, wherever they come from. */
function nameOf({ type, userId, authorizationId, grantId, detail }: Told): string {
  return JSON.stringify([type, userId, authorizationId, grantId, detail])
}
