/**
 * Places in the trail, for whoever follows it. Ids only grow while Redis keeps what it has; after a failover to a replica that lacked the
 * end of the trail and whose clock is behind, what is told next has smaller ids than what was read before.
 */
import { CLOCKS_DIFFER_MS } from '../clock.js'
import type { EventStore } from './event-store.js'

type Trail = Pick<EventStore, 'before'>

export interface Place {
  /** The event that was read last. Undefined before the first event of the trail. */
  eventId: string | undefined
  atMs: number
}

/** How long an event may take from its time to the trail. */
const TOLD_WITHIN_MS = 30_000

/**
 * How far one goes back when the trail has lost the place. Events have the times of the instances that told them: the first one after
 * the lost place may be of an instance whose clock is behind that of the place.
 */
export const GO_BACK_MS = CLOCKS_DIFFER_MS + TOLD_WITHIN_MS

const PAGE = 50

/** The place before the first event since a time, so that one gets what happens from then on. */
export async function placeBefore(trail: Trail, sinceMs: number): Promise<Place> {
  let before: string | undefined
  do {
    const page = await trail.before(before, PAGE)
    const last = page.events.find(({ atMs }) => atMs < sinceMs)
    if (last) return { eventId: last.id, atMs: last.atMs }
    before = page.next
  } while (before !== undefined)
  return { eventId: undefined, atMs: sinceMs }
}

/** What has become of an event that was there: 'dropped' with all before it, or 'lost' though there are earlier ones. */
export async function lookFor(trail: Trail, eventId: string): Promise<'there' | 'dropped' | 'lost'> {
  const [ms, number] = eventId.split('-')
  const { events, next } = await trail.before(`${ms}-${Number(number) + 1}`, 1)
  // One that cannot be read is there as well.
  const lastId = events[0]?.id ?? next
  if (lastId === undefined) return 'dropped'
  return lastId === eventId ? 'there' : 'lost'
}
