/** Reads the audit trail for people: what is wanted of it, in bounded steps. The stream knows no type and no user, so it is looked through. */
import { fault } from '../fault.js'
import { type AuditEvent, EVENT_TYPES, type EventType } from './event.js'
import { type EventReader, LARGEST_EVENT_PAGE } from './event-store.js'

/** How many pages one search looks through. */
const LOOKS = 25

export interface EventFilter {
  type?: EventType | undefined
  userId?: string | undefined
}

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
}

export type EventSearch = (filter: EventFilter, options: EventSearchOptions) => Promise<FoundEvents>

/** The type of this name. Throws `invalid_request` if there is none. */
export function readEventType(name: string): EventType {
  const known = EVENT_TYPES.find((type) => type === name)
  if (!known) throw fault('invalid_request', { hint: 'There is no such type of event' })
  return known
}

export function createEventSearch(trail: EventReader): EventSearch {
  return async ({ type, userId }, { direction, from, most }) => {
    const isWanted = (event: AuditEvent) =>
      (type === undefined || event.type === type) && (userId === undefined || event.userId === userId)
    const isAll = type === undefined && userId === undefined
    const events: AuditEvent[] = []
    let lastId = from
    for (let look = 0; look < LOOKS; look++) {
      const page = await trail[direction](lastId, isAll ? most : LARGEST_EVENT_PAGE)
      for (const event of page.events) {
        lastId = event.id
        if (isWanted(event)) events.push(event)
        if (events.length === most) break
      }
      const isMore = page.next !== undefined || lastId !== (page.events.at(-1)?.id ?? lastId)
      if (!isMore) return { events, next: undefined, lastId }
      // Entries that cannot be read are on no page, which may be empty because of them.
      if (events.length < most && page.next !== undefined) lastId = page.next
      if (events.length === most) break
    }
    return { events, next: lastId, lastId }
  }
}
