/** The audit trail in memory: lists in which the oldest events make room for the newest. */
import { type AuditEvent, isByAnybody, type Told } from '../../core/audit/event.js'
import {
  type EventPage,
  type EventReader,
  type EventStore,
  isEventId,
  LARGEST_EVENT_PAGE
} from '../../core/audit/event-store.js'
import { fault } from '../../core/fault.js'

/** So many are dropped together, because each time moves all the others. */
const DROPPED_TOGETHER = 100

export function createMemoryEventStore(kept: number): EventStore {
  const [all, evidence] = [createList(kept), createList(kept)]
  let number = 0

  /** As ids of Redis are, so that readers meet one form. */
  function nextId(atMs: number): string {
    number += 1
    return `${Math.floor(atMs)}-${number}`
  }

  return {
    ...all.reader,
    evidence: evidence.reader,

    async add(told, atMs) {
      if (kept === 0) return []
      const events = told.map((event) => ({ ...known(event), id: nextId(atMs), atMs: Math.floor(atMs) }))
      all.add(events)
      evidence.add(events.filter((event) => !isByAnybody(event)))
      return events.map(({ id }) => id)
    }
  }
}

function createList(kept: number) {
  const events: AuditEvent[] = []

  /** The place of the first event with a greater number than that of an id, or with no smaller one. */
  function placeOf(id: string, isWith: boolean): number {
    if (!isEventId(id)) throw fault('invalid_request', { hint: 'There is no such event' })
    const limit = numberOf(id) + (isWith ? 0 : 1)
    let [low, high] = [0, events.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (numberOf((events[middle] as AuditEvent).id) < limit) low = middle + 1
      else high = middle
    }
    return low
  }

  function page(found: AuditEvent[], isMore: boolean): EventPage {
    return { events: found.map((event) => ({ ...event })), next: isMore ? found.at(-1)?.id : undefined }
  }

  const reader: EventReader = {
    async after(id, most) {
      const from = id === undefined ? 0 : placeOf(id, false)
      const to = from + Math.min(most, LARGEST_EVENT_PAGE)
      return page(events.slice(from, to), to < events.length)
    },

    async before(id, most) {
      const to = id === undefined ? events.length : placeOf(id, true)
      const from = Math.max(0, to - Math.min(most, LARGEST_EVENT_PAGE))
      return page(events.slice(from, to).reverse(), from > 0)
    },

    async look(direction, id, { type, userId }, most) {
      const found: AuditEvent[] = []
      const { events: part, next } = await reader[direction](id, LARGEST_EVENT_PAGE)
      for (const [i, event] of part.entries()) {
        if ((!type || event.type === type) && (!userId || event.userId === userId)) found.push(event)
        if (found.length === most)
          return {
            events: found,
            lastId: event.id,
            lastAtMs: event.atMs,
            isMore: next !== undefined || i < part.length - 1
          }
      }
      const last = part.at(-1)
      return { events: found, lastId: last?.id, lastAtMs: last?.atMs, isMore: next !== undefined }
    }
  }

  function add(told: readonly AuditEvent[]): void {
    events.push(...told)
    if (events.length >= kept + DROPPED_TOGETHER) events.splice(0, events.length - kept)
  }

  return { reader, add }
}

/** What is unknown or empty is left out. */
const known = (event: Told) => Object.fromEntries(Object.entries(event).filter(([, value]) => value)) as unknown as Told
const numberOf = (id: string) => Number(id.slice(id.indexOf('-') + 1))
