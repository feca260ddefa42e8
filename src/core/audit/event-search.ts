/** Reads the audit trail for people: what is wanted of it, in bounded steps. There is no index by type or user, so it is looked through. */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { type AuditEvent, EVENT_TYPES, type EventType } from './event.js'
import type { EventFilter, EventReader } from './event-store.js'

/** How many parts of the trail one search looks through. */
const LOOKS = 25
/** For how long it begins another one: so whoever waits for it waits no longer where many search, or where the trail is read slowly. */
const LOOKS_FOR_MS = 20

export interface EventSearchOptions {
  direction: 'after' | 'before'
  /** The event after or before which it begins. */
  from: string | undefined
  most: number
}

export interface FoundEvents {
  events: AuditEvent[]
  /** Where the next part begins; undefined if there is nothing more for now. A part may have fewer than asked for, or none. */
  next: string | undefined
  /** The last event that was looked at, wanted or not; `from` if there was none. */
  lastId: string | undefined
  /** Its time, if there was one. */
  lastAtMs?: number | undefined
}

export type EventSearch = (filter: EventFilter, options: EventSearchOptions) => Promise<FoundEvents>

/** The type of this name. Throws `invalid_request` if there is none. */
export function readEventType(name: string): EventType {
  const known = EVENT_TYPES.find((type) => type === name)
  if (!known) throw fault('invalid_request', { hint: 'There is no such type of event' })
  return known
}

export function createEventSearch(trail: EventReader, clock: Clock): EventSearch {
  return async (filter, { direction, from, most }) => {
    if (!filter.type && !filter.userId) {
      const { events, next } = await trail[direction](from, most)
      const last = events.at(-1)
      return { events, next, lastId: next ?? last?.id ?? from, lastAtMs: last?.atMs }
    }
    const events: AuditEvent[] = []
    let lastId = from
    let lastAtMs: number | undefined
    const startedAtMs = clock()
    for (let look = 0; look < LOOKS; look++) {
      const found = await trail.look(direction, lastId, filter, most - events.length)
      events.push(...found.events)
      lastId = found.lastId ?? lastId
      lastAtMs = found.lastAtMs ?? lastAtMs
      if (!found.isMore) return { events, next: undefined, lastId, lastAtMs }
      if (events.length === most || clock() - startedAtMs >= LOOKS_FOR_MS) break
    }
    return { events, next: lastId, lastId, lastAtMs }
  }
}
