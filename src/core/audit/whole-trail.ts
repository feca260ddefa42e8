/**
 * The trail as people read it: all events as far as they reach back, and before those what not anybody can cause. Whoever starts more
 * grants than the trail has room for pushes out the starts of others alone.
 */
import { type EventReader, type EventStore, isEarlier } from './event-store.js'

/** Follows one list into the other, each event once: those of both have one id. A page may have fewer events than the next one. */
export function createWholeTrail(store: Pick<EventStore, 'after' | 'before' | 'evidence'>): EventReader {
  const { evidence } = store
  return {
    async before(id, most) {
      const page = await store.before(id, most)
      if (page.next !== undefined) return page
      const reached = page.events.at(-1)?.id ?? id
      const left = most - page.events.length
      const older = await evidence.before(reached, Math.max(1, left))
      if (left > 0) return { events: [...page.events, ...older.events], next: older.next }
      return { events: page.events, next: older.events.length > 0 ? reached : undefined }
    },

    async after(id, most) {
      const page = await store.after(id, most)
      const first = page.events[0]?.id
      // Events that cannot be read are on no page, which is then not known to be where the list begins.
      if (first === undefined || (await store.before(first, 1)).events.length > 0) return page
      const older = (await evidence.after(id, most)).events.filter((event) => isEarlier(event.id, first))
      return older.length > 0 ? { events: older, next: older.at(-1)?.id } : page
    }
  }
}
