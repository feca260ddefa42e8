/** The storage interface of the audit trail: a list with a bound, to which events are added at the end and which is read from any place. */
import type { AuditEvent, EventType, Told } from './event.js'

/** How many events are kept where nothing else is said; of those that not anybody can cause so many once more. */
export const EVENTS_KEPT = 100_000

/** What is read in one step. */
export const LARGEST_EVENT_PAGE = 200

export interface EventPage {
  /** In the order of the trail. */
  events: AuditEvent[]
  /** The id after which the next page begins; undefined when there is nothing more for now. */
  next: string | undefined
}

/** What is wanted of the trail; what is undefined or empty is all the same. */
export interface EventFilter {
  type?: EventType | undefined
  userId?: string | undefined
}

/** What was found in a part of the trail. */
export interface EventLook {
  /** The wanted ones, in the order in which it was looked. */
  events: AuditEvent[]
  /** The last event that was looked at; undefined if there was none. */
  lastId: string | undefined
  /** Its time; undefined as well if it cannot be read. */
  lastAtMs: number | undefined
  isMore: boolean
}

/** The form of an id: the time of the engine in milliseconds, and a number among those of one millisecond. */
export const isEventId = (text: string): boolean => /^\d{1,15}-\d{1,15}$/.test(text)

/** Reads a list of events, from either end. */
export interface EventReader {
  /** A page of what comes after an id, oldest first; from the oldest that is kept without one. Rejects with `invalid_request` for no id. */
  after(id: string | undefined, most: number): Promise<EventPage>
  /** A page of what comes before an id, newest first; from the newest without one. `next` is the id before which the next one begins. */
  before(id: string | undefined, most: number): Promise<EventPage>
  /** Looks at the next LARGEST_EVENT_PAGE events after or before an id, or until it has found so many that are wanted. Rejects as they do. */
  look(direction: 'after' | 'before', id: string | undefined, filter: EventFilter, most: number): Promise<EventLook>
}

/** Reads all events: the newest of them, whatever they are. */
export interface EventStore extends EventReader {
  /**
   * Adds events at the end, in this order, and drops the oldest beyond the bound. It is sent with the other commands of its turn. A
   * repetition may add them again: what is told at least once may be told twice. Resolves to their ids, or to none where none are kept.
   * Rejects with `unavailable`.
   */
  add(events: readonly Told[], atMs: number): Promise<readonly string[]>
  /** Those that not anybody can cause (`isByAnybody`), under the same ids and with a bound of their own: they reach further back. */
  readonly evidence: EventReader
}

/** Whether the id of an event is less than another, or there is none. */
export function isEarlier(id: string | undefined, than: string): boolean {
  const [ms = 0, count = 0] = (id ?? '').split('-').map(Number)
  const [thanMs = 0, thanCount = 0] = than.split('-').map(Number)
  return ms < thanMs || (ms === thanMs && count < thanCount)
}
