/**
 * The audit trail in Redis: one stream, whose ids are Redis's own, and another with what not anybody can cause. All entries have the same
 * fields in one order, those without a value as an empty text, because a stream keeps the names of equal fields once for many entries.
 */
import {
  type Actor,
  type AuditEvent,
  type EventType,
  isByAnybody,
  isLasting,
  type Told
} from '../../core/audit/event.js'
import {
  type EventPage,
  type EventReader,
  type EventStore,
  isEventId,
  LARGEST_EVENT_PAGE
} from '../../core/audit/event-store.js'
import { fault } from '../../core/fault.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'

const FIELDS = ['at', 'type', 'actor', 'user', 'client', 'authorization', 'grant', 'ip', 'location', 'detail'] as const
/** Types and actors that a later version tells of are read as well. */
const TYPE = /^[a-z_]{1,64}\.[a-z_]{1,64}$/
const TIME = /^\d{1,15}$/

type Entry = [id: string, fieldsAndValues: string[] | null]
type Values = Partial<Record<(typeof FIELDS)[number], string>>

export function createRedisEventStore(
  connection: RedisConnection,
  keys: Pick<Keys, 'events'>,
  kept: number
): EventStore {
  const { call, run, runOver, runDurablyOver, unreadable } = connection
  const { all, evidence } = keys.events

  function checked(id: string): string {
    if (!isEventId(id)) throw fault('invalid_request', { hint: 'There is no such event' })
    return id
  }

  /** An entry that cannot be read is reported and left out; what comes next begins behind it all the same. */
  function readAll(entries: Entry[]): AuditEvent[] {
    return entries.flatMap((entry) => {
      const event = read(entry)
      if (!event) unreadable('events')
      return event ?? []
    })
  }

  function page(entries: Entry[], most: number): EventPage {
    const found = entries.slice(0, most)
    return { events: readAll(found), next: entries.length > most ? found.at(-1)?.[0] : undefined }
  }

  const readerOf = (key: string): EventReader => ({
    async after(id, most) {
      const from = id === undefined ? '-' : `(${checked(id)}`
      const count = Math.min(most, LARGEST_EVENT_PAGE)
      // One more than is wanted says whether there is a next page.
      return page(await call('events-after', (redis) => redis.xrange(key, from, '+', 'COUNT', count + 1)), count)
    },

    async before(id, most) {
      const from = id === undefined ? '+' : `(${checked(id)}`
      const count = Math.min(most, LARGEST_EVENT_PAGE)
      return page(await call('events-before', (redis) => redis.xrevrange(key, from, '-', 'COUNT', count + 1)), count)
    },

    async look(direction, id, { type = '', userId = '' }, most) {
      const from = id === undefined ? '' : checked(id)
      const answer = await run('events-search', key, direction, from, LARGEST_EVENT_PAGE, most, type, userId)
      const [lastId, lastAt, rest, ...entries] = answer as [string, string, 'more' | 'last', ...Entry[]]
      const lastAtMs = Number(lastAt) || undefined
      return { events: readAll(entries), lastId: lastId || undefined, lastAtMs, isMore: rest === 'more' }
    }
  })

  return {
    ...readerOf(all),
    evidence: readerOf(evidence),

    async add(events, atMs) {
      if (kept === 0 || events.length === 0) return []
      const add = events.some(isLasting) ? runDurablyOver : runOver
      const written = events.flatMap((event) => [isByAnybody(event) ? 0 : 1, ...write(event, atMs)])
      return (await add('events-add', [all, evidence], [kept, FIELDS.length * 2, ...written])) as string[]
    }
  }
}

function write(event: Told, atMs: number): string[] {
  const values: Values = {
    at: String(Math.floor(atMs)),
    type: event.type,
    actor: event.actor,
    user: event.userId,
    client: event.clientId,
    authorization: event.authorizationId,
    grant: event.grantId,
    ip: event.ip,
    location: event.location,
    detail: event.detail
  } as Values
  return FIELDS.flatMap((name) => [name, values[name] ?? ''])
}

function read([id, fieldsAndValues]: Entry): AuditEvent | undefined {
  const values: Values = {}
  for (const name of FIELDS) {
    const at = fieldsAndValues?.findIndex((field, i) => i % 2 === 0 && field === name) ?? -1
    const value = at < 0 ? undefined : fieldsAndValues?.[at + 1]
    if (value) values[name] = value
  }
  const { at, type, actor, user, client, authorization, grant, ip, location, detail } = values
  if (!at || !TIME.test(at) || !type || !TYPE.test(type) || !actor) return undefined
  return {
    ...{ id, atMs: Number(at), type: type as EventType, actor: actor as Actor },
    ...(user !== undefined && { userId: user }),
    ...(client !== undefined && { clientId: client }),
    ...(authorization !== undefined && { authorizationId: authorization }),
    ...(grant !== undefined && { grantId: grant }),
    ...(ip !== undefined && { ip }),
    ...(location !== undefined && { location }),
    ...(detail !== undefined && { detail })
  }
}
