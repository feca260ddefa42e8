/**
 * How far an endpoint has come in the trail. Events are read in pages; the cursor follows as far as everything before it is delivered
 * or waits in the storage. A page that begins behind events which the trail has dropped is told as a gap.
 */
import type { AuditEvent } from '../audit/event.js'
import type { EventStore } from '../audit/event-store.js'
import type { Cursor, Gap } from './cursor.js'

export type Progress = ReturnType<typeof createProgress>

/** Where an endpoint that is new begins: before the first event since a time, so that it gets what happens from then on. */
export async function beginningAt(events: EventStore, sinceMs: number): Promise<Cursor> {
  let before: string | undefined
  do {
    const page = await events.before(before, PAGE)
    const last = page.events.find(({ atMs }) => atMs < sinceMs)
    if (last) return { eventId: last.id, atMs: last.atMs }
    before = page.next
  } while (before !== undefined)
  return { eventId: undefined, atMs: sinceMs }
}

/** Small enough to hold up nobody. */
const PAGE = 50

/** `isThrough` says of an event that was read whether the cursor may go past it. */
export function createProgress(events: EventStore, isThrough: (eventId: string) => boolean) {
  /** What was read and is not behind the cursor, in its order. */
  const ahead: Cursor[] = []
  let cursor: Cursor = { eventId: undefined, atMs: 0 }
  /** What was read last. */
  let position: Cursor = cursor

  async function gapBefore(first: AuditEvent): Promise<Gap | undefined> {
    if (position.eventId === undefined) return undefined
    const { events: earlier } = await events.before(first.id, 1)
    return earlier.length > 0 ? undefined : { fromMs: position.atMs, untilMs: first.atMs }
  }

  return {
    cursor: () => cursor,

    goTo(place: Cursor): void {
      cursor = place
      position = place
    },

    /** Reads on, so many at most, and has each event taken in the moment from which the cursor may go past it. */
    async read(most: number, take: (event: AuditEvent) => void): Promise<{ isMore: boolean; gap: Gap | undefined }> {
      const page = await events.after(position.eventId, Math.min(most, PAGE))
      const [first] = page.events
      const gap = first && (await gapBefore(first))
      for (const event of page.events) {
        take(event)
        ahead.push({ eventId: event.id, atMs: event.atMs })
      }
      const last = page.events.at(-1)
      if (last) position = { eventId: last.id, atMs: last.atMs }
      // A page may have nothing that can be read, and others behind it.
      else if (page.next !== undefined) position = { ...position, eventId: page.next }
      return { isMore: page.next !== undefined, gap }
    },

    /** Moves the cursor on. Resolves to where it is if it moved. */
    advance(): Cursor | undefined {
      let moved: Cursor | undefined
      while (ahead[0]?.eventId !== undefined && isThrough(ahead[0].eventId)) moved = ahead.shift()
      if (moved) cursor = moved
      return moved
    }
  }
}
