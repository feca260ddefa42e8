/**
 * The trail as people read it: all events as far as they reach back, and before those what not anybody can cause. Whoever starts more
 * grants than the trail has room for pushes out the starts of others alone.
 */
import { type EventFilter, type EventLook, type EventReader, type EventStore, isEarlier } from './event-store.js'

type Store = Pick<EventStore, 'after' | 'before' | 'look' | 'evidence'>

/** Follows one list into the other, each event once: those of both have one id. A page may have fewer events than the next one. */
export function createWholeTrail(store: Store): EventReader {
  const { evidence } = store

  async function lookBefore(id: string | undefined, filter: EventFilter, most: number): Promise<EventLook> {
    const newer = await store.look('before', id, filter, most)
    if (newer.isMore) return newer
    const reached = newer.lastId ?? id
    const left = most - newer.events.length
    if (left === 0) return { ...newer, isMore: (await evidence.before(reached, 1)).events.length > 0 }
    const older = await evidence.look('before', reached, filter, left)
    const { lastId, lastAtMs } = older.lastId === undefined ? newer : older
    return { events: [...newer.events, ...older.events], lastId, lastAtMs, isMore: older.isMore }
  }

  async function lookAfter(id: string | undefined, filter: EventFilter, most: number): Promise<EventLook> {
    const found = await store.look('after', id, filter, most)
    // It is asked afterwards: what is dropped from one list while it is looked at is found in the other one.
    const { events, next } = await store.after(undefined, 1)
    const first = events[0]?.id ?? next
    if (first === undefined || !isEarlier(id, first)) return found
    const older = await evidence.look('after', id, filter, most)
    return older.lastId === undefined || found.lastId === undefined ? found : mixed(older, found, most)
  }

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
    },

    look: (direction, id, filter, most) =>
      direction === 'before' ? lookBefore(id, filter, most) : lookAfter(id, filter, most)
  }
}

/** Two looks that begin at one place, as far as both of them reach. */
function mixed(older: EventLook, found: EventLook, most: number): EventLook {
  const isShorter = older.isMore && isEarlier(older.lastId, found.lastId ?? '')
  const { lastId = '', lastAtMs } = isShorter ? older : found
  const known = new Set(found.events.map(({ id }) => id))
  const all = [...older.events.filter(({ id }) => !known.has(id)), ...found.events]
    .filter(({ id }) => !isEarlier(lastId, id))
    .sort((a, b) => (isEarlier(a.id, b.id) ? -1 : 1))
  const events = all.slice(0, most)
  const last = events.at(-1)
  if (all.length > most && last) return { events, lastId: last.id, lastAtMs: last.atMs, isMore: true }
  return { events, lastId, lastAtMs, isMore: isShorter || found.isMore }
}
