/** The contract of every engine's audit trail: src/core/audit/event-store.ts. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { AuditEvent, Told } from '../../src/core/audit/event.js'
import { EVENT_TYPES, isByAnybody } from '../../src/core/audit/event.js'
import type { EventPage, EventStore } from '../../src/core/audit/event-store.js'
import { LARGEST_EVENT_PAGE } from '../../src/core/audit/event-store.js'
import { type StartEngine, times } from './engine.js'

const FULL: Told = {
  type: 'grant.approved',
  actor: 'user:alice',
  userId: 'alice',
  clientId: 'https://example.com/client.json',
  authorizationId: randomUUID(),
  grantId: 'abcdefghij_-klmn',
  ip: '2001:db8::1',
  location: 'Tromsø, Troms, NO',
  detail: 'a "detail" of\nmore than one line, 日本 🔑 {}:*'
}

const details = ({ events }: EventPage) => events.map(({ detail }) => detail)
const started = (detail: string): Told => ({ type: 'grant.started', actor: 'client:cli', detail })

/** All that an engine has, page by page. */
async function readAll(read: EventStore['after'], most: number): Promise<AuditEvent[]> {
  const all: AuditEvent[] = []
  for (let id: string | undefined; ; ) {
    const { events, next } = await read(id, most)
    all.push(...events)
    if (next === undefined) return all
    id = next
  }
}

export function eventStoreContract(t: Test, start: StartEngine): void {
  t.test('an event is read on every instance as it was told', async (t) => {
    const { storage, other, clock } = await start(t)
    const told: Told[] = [FULL, ...EVENT_TYPES.map((type): Told => ({ type, actor: 'service' }))]
    await storage.events.add(told, clock() + 0.5)
    const { events, next } = await other.events.after(undefined, LARGEST_EVENT_PAGE)
    t.strictSame(
      events.map(({ id: _id, ...event }) => event),
      told.map((event) => ({ ...event, atMs: Math.floor(clock()) }))
    )
    t.equal(next, undefined)
    t.equal(new Set(events.map(({ id }) => id)).size, told.length)
    t.strictSame((await storage.events.before(undefined, LARGEST_EVENT_PAGE)).events, events.toReversed())
    const evidence = events.filter((event) => !isByAnybody(event))
    t.equal(evidence.length, told.length - 9)
    t.strictSame(
      (await other.events.evidence.after(undefined, LARGEST_EVENT_PAGE)).events,
      evidence,
      'under the same ids'
    )
    t.strictSame((await other.events.evidence.before(evidence.at(-1)?.id, 2)).events, evidence.slice(-3, -1).reverse())
  })

  t.test('what is not known of an event is left out, and so is what is empty', async (t) => {
    const { storage, other, clock } = await start(t)
    await storage.events.add(
      [{ type: 'user.signed_in', actor: 'user:bob', userId: 'bob', detail: '', ip: undefined }],
      clock()
    )
    const { events } = await other.events.after(undefined, 1)
    t.strictSame(Object.keys(events[0] ?? {}).sort(), ['actor', 'atMs', 'id', 'type', 'userId'])
  })

  t.test('nothing is there before anything is told, and telling nothing tells nothing', async (t) => {
    const { storage, other, clock } = await start(t)
    await storage.events.add([], clock())
    t.strictSame(await other.events.after(undefined, 10), { events: [], next: undefined })
    t.strictSame(await other.events.before(undefined, 10), { events: [], next: undefined })
  })

  t.test('the trail is read page by page, from either end', async (t) => {
    const { storage, other, clock } = await start(t)
    const names = times(25, (i) => `${i}`)
    for (const name of names) await (Number(name) % 2 ? storage : other).events.add([started(name)], clock())
    for (const most of [1, 7, 24, 25, 26]) {
      t.strictSame(
        (await readAll(storage.events.after, most)).map(({ detail }) => detail),
        names
      )
      t.strictSame(
        (await readAll(other.events.before, most)).map(({ detail }) => detail),
        names.toReversed()
      )
    }
    const page = await storage.events.after(undefined, 25)
    t.equal(page.next, undefined, 'a page that is just full is the last one')
    const tenth = page.events[9]?.id
    t.strictSame(details(await other.events.after(tenth, 3)), ['10', '11', '12'], 'after any event')
    t.strictSame(details(await other.events.before(tenth, 3)), ['8', '7', '6'], 'and before it')
  })

  t.test('whoever follows misses nothing that is told after what they have', async (t) => {
    const { storage, other, clock } = await start(t)
    await storage.events.add([started('a')], clock())
    const [first] = (await other.events.after(undefined, 10)).events
    t.strictSame(await other.events.after(first?.id, 10), { events: [], next: undefined })
    // A clock that goes back changes nothing about the order.
    await storage.events.add([started('b'), started('c')], clock() - 60_000)
    t.strictSame(details(await other.events.after(first?.id, 10)), ['b', 'c'])
  })

  t.test('a page has a bound, whatever is asked for', async (t) => {
    const { storage, clock } = await start(t)
    const told = times(LARGEST_EVENT_PAGE + 10, (i) => started(`${i}`))
    await storage.events.add(told, clock())
    t.equal((await storage.events.after(undefined, 1_000_000)).events.length, LARGEST_EVENT_PAGE)
    t.equal((await storage.events.before(undefined, 1_000_000)).events.length, LARGEST_EVENT_PAGE)
  })

  t.test('what is wanted is looked for, in either direction and from any place', async (t) => {
    const { storage, other, clock } = await start(t)
    const told = (i: number): Told => ({
      ...{ type: i % 3 === 0 ? 'user.blocked' : 'grant.started', actor: 'service' },
      ...{ userId: i % 2 === 0 ? 'ann' : undefined, detail: `${i}` }
    })
    await storage.events.add(times(LARGEST_EVENT_PAGE + 10, told), clock())
    const { events: first, next } = await other.events.after(undefined, LARGEST_EVENT_PAGE)
    const [type, userId] = ['user.blocked', 'ann'] as const
    const numbers = times(LARGEST_EVENT_PAGE + 10, (i) => i)
    const seen = async (...look: Parameters<EventStore['look']>) => {
      const { events, lastId, isMore } = await other.events.look(...look)
      return [events.map(({ detail }) => Number(detail)), lastId, isMore]
    }
    const part = numbers.slice(0, LARGEST_EVENT_PAGE)
    t.strictSame(
      await seen('after', undefined, { type }, 200),
      [part.filter((i) => i % 3 === 0), next, true],
      'a part of it'
    )
    t.strictSame(await seen('after', undefined, { userId }, 200), [part.filter((i) => i % 2 === 0), next, true])
    t.strictSame(await seen('after', undefined, { type, userId }, 200), [part.filter((i) => i % 6 === 0), next, true])
    t.strictSame(await seen('after', undefined, { userId: 'bob' }, 200), [[], next, true])
    t.strictSame(await seen('after', undefined, { type }, 3), [[0, 3, 6], first[6]?.id, true], 'until there are enough')
    t.strictSame(await seen('before', first[9]?.id, { type, userId }, 200), [[6, 0], first[0]?.id, false])
    t.strictSame(await seen('before', first[9]?.id, { type, userId }, 2), [[6, 0], first[0]?.id, false], 'just enough')
    const last = (await other.events.before(undefined, 1)).events[0]?.id
    t.strictSame(await seen('after', next, { userId }, 200), [[200, 202, 204, 206, 208], last, false])
    t.strictSame(await seen('after', last, { userId }, 200), [[], undefined, false])
    await t.rejects(other.events.look('after', '-', { userId }, 1), { code: 'invalid_request' })
  })

  t.test('what is no id is refused', async (t) => {
    const { storage } = await start(t)
    for (const id of ['', 'x', '1', '-', '+', '(1-1', '1-1 ', '$', '1-x', `${'9'.repeat(30)}-1`]) {
      await t.rejects(storage.events.after(id, 1), { code: 'invalid_request' }, id)
      await t.rejects(storage.events.before(id, 1), { code: 'invalid_request' }, id)
    }
  })
}
