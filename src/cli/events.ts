/** `grantd events`: the audit trail, its end or what comes after an event, and with --follow what comes from now on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuditEvent, wireFormOf } from '../core/audit/event.js'
import { readEventType } from '../core/audit/event-search.js'
import { LARGEST_EVENT_PAGE } from '../core/audit/event-store.js'
import { GO_BACK_MS, lookFor, placeBefore } from '../core/audit/trail-place.js'
import { isFault } from '../core/fault.js'
import type { Core } from '../core/index.js'
import type { OptionValues } from './arguments.js'
import { plain, readLimit, when } from './print.js'

const USUAL = 50
/** How often --follow asks for more. */
const FOLLOW_EVERY_MS = 500
/** How often it asks again while Redis does not answer. */
const RETRY_EVERY_MS = 2_000

export async function* runEventsCommand(core: Core, options: OptionValues): AsyncGenerator<string> {
  const { type, user, after, follow, json, limit } = options
  const filter = {
    type: typeof type === 'string' ? typeOf(type) : undefined,
    userId: typeof user === 'string' ? user : undefined
  }
  const show = json ? (event: AuditEvent) => [JSON.stringify(wireFormOf(event))] : linesOf
  let from = typeof after === 'string' ? after : undefined
  /** The time of the event `from`, where it is one that was there. */
  let seenAtMs: number | undefined
  if (from === undefined) {
    const { events, newest } = await theEnd(core, filter, readLimit(limit, USUAL))
    for (const event of events) yield* show(event)
    if (!follow) return
    from = newest.lastId
    seenAtMs = newest.lastAtMs
  }
  let left = limit === undefined || follow ? Number.POSITIVE_INFINITY : readLimit(limit, USUAL)
  do {
    const options = { direction: 'after', from, most: Math.min(LARGEST_EVENT_PAGE, left) } as const
    const search = () => core.searchEvents(filter, options)
    const { events, next, lastId, lastAtMs } = await (follow ? untilAnswered(search) : search())
    const back = follow && seenAtMs !== undefined ? await untilAnswered(() => wayBack(core, from, seenAtMs)) : undefined
    if (back) {
      say('the trail has lost its end; what came shortly before is told once more')
      from = back.eventId
      seenAtMs = undefined
      continue
    }
    for (const event of events) yield* show(event)
    left -= events.length
    from = lastId
    seenAtMs = lastAtMs ?? seenAtMs
    if (next === undefined && !follow) return
    if (next === undefined) await sleep(FOLLOW_EVERY_MS)
  } while (left > 0)
}

/** Where to go on if the trail has lost the event up to which it was read, as a failover may. */
async function wayBack(core: Core, seenId = '', seenAtMs = 0) {
  const isLost = (await lookFor(core.trail, seenId)) === 'lost'
  return isLost ? placeBefore(core.trail, seenAtMs - GO_BACK_MS) : undefined
}

/** Whoever follows goes on after Redis was away, and is told of both beside what is printed. */
async function untilAnswered<T>(search: () => Promise<T>): Promise<T> {
  for (let isAway = false; ; isAway = true) {
    try {
      const answer = await search()
      if (isAway) say('Redis is back')
      return answer
    } catch (error) {
      if (!isFault(error) || error.code !== 'unavailable') throw error
      if (!isAway) say('Redis does not answer; trying again')
      await sleep(RETRY_EVERY_MS)
    }
  }
}

const say = (sentence: string) => process.stderr.write(`grantd: ${sentence}\n`)

/** The last events, in the order of the trail, and the newest one, after which it goes on. */
async function theEnd(core: Core, filter: Parameters<Core['searchEvents']>[0], most: number) {
  const newest = await core.searchEvents({}, { direction: 'before', from: undefined, most: 1 })
  const events: AuditEvent[] = []
  let from: string | undefined
  do {
    const options = { direction: 'before', from, most: Math.min(LARGEST_EVENT_PAGE, most - events.length) } as const
    const found = await core.searchEvents(filter, options)
    events.push(...found.events)
    from = found.next
  } while (from !== undefined && events.length < most)
  return { events: events.reverse(), newest }
}

function typeOf(name: string) {
  try {
    return readEventType(name)
  } catch {
    throw new Error(`--type: there is no event ${plain(name)}`)
  }
}

/** Two lines that fit a terminal: what happened by whom, and to what. */
function linesOf(event: AuditEvent): string[] {
  const { type, actor, userId, clientId, authorizationId, grantId, ip, location, detail } = event
  const about = [
    userId !== undefined && `user ${userId}`,
    clientId !== undefined && `client ${clientId}`,
    authorizationId !== undefined && `authorization ${authorizationId}`,
    grantId !== undefined && `grant ${grantId}`,
    ip !== undefined && `from ${location === undefined ? ip : `${ip}, ${location}`}`,
    detail
  ].filter((part) => typeof part === 'string')
  const first = `${when(wireFormOf(event).at)}  ${type.padEnd(22)}  ${plain(actor)}`
  return about.length === 0 ? [first] : [first, `    ${plain(about.join(', '))}`]
}
