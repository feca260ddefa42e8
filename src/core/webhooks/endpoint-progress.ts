/**
 * How far an endpoint has come in the trail. Events are read in pages; the cursor follows as far as everything before it is delivered
 * or waits in the storage. A page that begins behind events which the trail has dropped is told as a gap, and where the trail has lost
 * the place it is read again from a little before it.
 */

import type { AuditEvent } from '../audit/event.js'
import type { EventStore } from '../audit/event-store.js'
import { GO_BACK_MS, lookFor, placeBefore } from '../audit/trail-place.js'
import type { Cursor, Gap } from './cursor.js'

/** Small enough to hold up nobody. */
const PAGE = 50

export interface ReadOn {
  isMore: boolean
  gap?: Gap | undefined
  /** Whether the trail has lost its end, and with it perhaps what else was written at that moment. */
  isLost?: boolean
}

/** `isThrough` says of an event that was read whether the cursor may go past it. */
export function createProgress(events: EventStore, isThrough: (eventId: string) => boolean) {
  /** What was read and is not behind the cursor, in its order. */
  const ahead: Cursor[] = []
  /** What was read last. */
  let position: Cursor = { eventId: undefined, atMs: 0 }

  function goTo(place: Cursor): void {
    position = place
    ahead.length = 0
  }

  return {
    goTo,

    /** Reads on, so many at most, and has each event taken in the moment from which the cursor may go past it. */
    async read(most: number, take: (event: AuditEvent) => void): Promise<ReadOn> {
      const page = await events.after(position.eventId, Math.min(most, PAGE))
      const place = position.eventId === undefined ? 'there' : await lookFor(events, position.eventId)
      if (place === 'lost') {
        goTo(await placeBefore(events, position.atMs - GO_BACK_MS))
        return { isMore: true, isLost: true }
      }
      const [first, last] = [page.events[0], page.events.at(-1)]
      const gap = first && place === 'dropped' ? { fromMs: position.atMs, untilMs: first.atMs } : undefined
      for (const event of page.events) {
        take(event)
        ahead.push({ eventId: event.id, atMs: event.atMs })
      }
      if (last) position = { eventId: last.id, atMs: last.atMs }
      // A page may have nothing that can be read, and others behind it.
      else if (page.next !== undefined) position = { ...position, eventId: page.next }
      return { isMore: page.next !== undefined, gap }
    },

    /** Moves the cursor on. Resolves to where it is if it moved. */
    advance(): Cursor | undefined {
      let moved: Cursor | undefined
      while (ahead[0]?.eventId !== undefined && isThrough(ahead[0].eventId)) moved = ahead.shift()
      return moved
    }
  }
}
