/** The contract of every engine's revocation feed, and what the core makes of it: src/core/authorizations/revoking.ts. */

import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Test } from 'tap'
import { createApprovals } from '../../src/core/authorizations/approvals.js'
import { LONGEST_LIFE_MS } from '../../src/core/authorizations/authorization.js'
import { createAuthorizations } from '../../src/core/authorizations/authorizations.js'
import {
  type Announcement,
  type FeedPosition,
  KEPT_AFTER_MS,
  LASTS_LONGER_MS,
  REMEMBERED_ENTRIES,
  type Revocation,
  START,
  SWEPT_AT_ONCE
} from '../../src/core/authorizations/revocation-store.js'
import { createRevocationSweep } from '../../src/core/authorizations/revocation-sweep.js'
import { createRevoking } from '../../src/core/authorizations/revoking.js'
import { builtInClients, type Client } from '../../src/core/clients/client.js'
import { createClients } from '../../src/core/clients/clients.js'
import { createEpoch } from '../../src/core/epoch/epoch.js'
import { fault } from '../../src/core/fault.js'
import { LARGEST_PAGE, type RecordStore } from '../../src/core/records/record-store.js'
import type { Storage } from '../../src/core/storage.js'
import { createUsers } from '../../src/core/users/user.js'
import { BY, keptNowhere } from '../support/audit.js'
import { listenTo } from './decision-feed.js'
import { type Engine, type StartEngine, times } from './engine.js'

const HOUR_MS = 3_600_000

export function revocationsContract(t: Test, start: StartEngine): void {
  t.test('an entry is there for every instance, once, and all are told', async (t) => {
    const { storage, other, clock } = await start(t)
    t.strictSame(await storage.revocations.page(START, 10), { revocations: [], next: START, isMore: false })
    t.equal(await storage.revocations.head(), START)
    const listeners = [listenTo(storage.decisions), listenTo(other.decisions)]
    const one = announcementOf(clock)
    await storage.revocations.announce([one])
    await Promise.all(listeners.map(({ untilRevoked }) => untilRevoked()))
    for (const { heard } of listeners) t.notOk(heard.includes('revocations'), 'which is no grant')
    const page = await pageAt(other)
    t.strictSame(page, { revocations: [entryOf(one)], next: await other.revocations.head(), isMore: false })
    // The first answer may have been lost, and the time is another one by now.
    await other.revocations.announce([{ ...one, revokedAtMs: one.revokedAtMs + 5 }])
    await storage.revocations.announce([])
    t.strictSame(await pageAt(storage), page)
    t.strictSame(await pageAt(storage, page.next), { revocations: [], next: page.next, isMore: false })
    const two = announcementOf(clock)
    await other.revocations.announce([one, two])
    t.strictSame((await pageAt(storage, page.next)).revocations, [entryOf(two)])
  })

  t.test('an entry that ends too early is told again, with its later end', async (t) => {
    const { storage, other, clock } = await start(t)
    const [one, two] = [announcementOf(clock), announcementOf(clock)]
    await storage.revocations.announce([one])
    const before = await storage.revocations.head()
    await storage.revocations.announce([two])
    const head = await storage.revocations.head()
    const lasting = { ...one, untilMs: one.untilMs + LASTS_LONGER_MS }
    for (const again of [lasting, { ...one, untilMs: one.untilMs - HOUR_MS }]) {
      await other.revocations.announce([again])
      t.equal(await storage.revocations.head(), head, 'a little later, or sooner, is no news')
    }
    const longer = { ...lasting, untilMs: lasting.untilMs + 1 }
    await Promise.all([storage, other].map(({ revocations }) => revocations.announce([longer])))
    t.strictSame((await pageAt(storage, head)).revocations, [entryOf(longer)], 'to who knows the one before')
    t.strictSame((await pageAt(other)).revocations, [two, longer].map(entryOf), 'and once to who begins')
    t.strictSame((await pageAt(other, before)).revocations, [two, longer].map(entryOf))
    clock.advance(HOUR_MS + KEPT_AFTER_MS)
    t.equal((await storage.revocations.sweep(2 * HOUR_MS)).dropped, 1, 'it does not go at its first end')
    t.strictSame((await pageAt(other)).revocations, [entryOf(longer)])
  })

  t.test('users and times of every kind are kept as they are', async (t) => {
    const { storage, other, clock } = await start(t)
    const users = ['a b', 'ü\n"}', '{x}', 'x'.repeat(255), '\u0000', '💡']
    const made = users.map((userId, i) => ({ ...announcementOf(clock), userId, untilMs: clock() + HOUR_MS * (i + 1) }))
    await storage.revocations.announce(made)
    t.strictSame((await pageAt(other)).revocations, made.map(entryOf))
    clock.advance(1_000)
    const { unfinished } = await other.revocations.sweep(1_000)
    t.strictSame(sorted(unfinished), sorted(made.map(({ userId, authorizationId }) => ({ userId, authorizationId }))))
    await storage.revocations.finish(made)
    clock.advance(1_000)
    t.strictSame((await other.revocations.sweep(1_000)).unfinished, [])
  })

  t.test('what is announced at once, on whichever instances, has one order', async (t) => {
    const { storage, other, clock } = await start(t)
    const made = times(60, () => announcementOf(clock))
    await Promise.all(
      [...made, ...made].map((one, i) =>
        (i % 2 === 0 ? storage : other).revocations.announce([one, made[0] as Announcement])
      )
    )
    const [here, there] = [await pageAt(storage), await pageAt(other)]
    t.strictSame(here, there)
    t.strictSame(idsOf(here.revocations).sort(), idsOf(made).sort())
  })

  t.test('more than 10,000 are read in pages, while others are announced and end', async (t) => {
    const { storage, other, clock } = await start(t)
    const made = times(10_300, (i) => ({
      ...announcementOf(clock),
      untilMs: clock() + (i % 50 === 7 ? 1_000 : HOUR_MS)
    }))
    await announceAll(storage, made)
    clock.advance(1_000 + KEPT_AFTER_MS)
    const late = times(200, () => announcementOf(clock))
    const found: Revocation[] = []
    let at: FeedPosition = START
    for (let pages = 1; ; pages++) {
      const page = await pageAt(other, at, 1_000)
      t.ok(page.revocations.length <= 1_000)
      found.push(...page.revocations)
      at = page.next
      if (pages === 3) await announceAll(storage, late)
      if (pages % 2 === 0) await storage.revocations.sweep(HOUR_MS)
      if (!page.isMore) break
      t.ok(pages < 12, 'it ends')
    }
    const alive = [...made, ...late].filter(({ untilMs }) => untilMs > clock())
    t.strictSame(
      idsOf(found.filter(({ untilMs }) => untilMs > clock())),
      idsOf(alive),
      'each one, once, in their order'
    )
  })

  t.test('a position is one as long as its entry, or one of the last 4,096, is known', async (t) => {
    const { storage, other, clock } = await start(t)
    const [short, long] = [{ ...announcementOf(clock), untilMs: clock() + 1_000 }, announcementOf(clock)]
    const positions: FeedPosition[] = []
    for (const one of [short, long]) {
      await storage.revocations.announce([one])
      positions.push(await storage.revocations.head())
    }
    const [ofShort = '', ofLong = ''] = positions
    clock.advance(1_000 + KEPT_AFTER_MS)
    t.equal((await storage.revocations.sweep(HOUR_MS)).dropped, 1)
    const rest = times(REMEMBERED_ENTRIES - 2, () => announcementOf(clock))
    await announceAll(other, rest)
    t.equal((await pageAt(other, ofShort)).revocations[0]?.authorizationId, long.authorizationId, 'its entry is gone')
    await announceAll(
      storage,
      times(1, () => announcementOf(clock))
    )
    t.equal(await other.revocations.page(ofShort, 10), 'gone', 'nobody knows what came after it')
    t.equal(
      (await pageAt(other, ofLong)).revocations[0]?.authorizationId,
      rest[0]?.authorizationId,
      'of an entry in force'
    )

    const [number = '', tag = ''] = ofLong.split('.')
    for (const wrong of [
      `${number}.AAAAAAAAAAAA`,
      `${Number(number) - 1}.${tag}`,
      `${1e9}.${tag}`,
      `${number}.${tag}A`
    ]) {
      t.equal(await other.revocations.page(wrong, 10), 'gone', wrong)
    }
  })

  t.test('entries go some time after their end, and only then', async (t) => {
    const { storage, other, clock } = await start(t)
    const made = times(SWEPT_AT_ONCE + 20, () => announcementOf(clock))
    await announceAll(storage, made)
    await storage.revocations.finish(made)
    const head = await storage.revocations.head()
    clock.advance(HOUR_MS + KEPT_AFTER_MS - 1)
    t.strictSame(await other.revocations.sweep(HOUR_MS), { dropped: 0, unfinished: [] })
    t.equal((await pageAt(storage, START, 1_000)).revocations.length, made.length)
    clock.advance(1)
    t.equal((await other.revocations.sweep(HOUR_MS)).dropped, SWEPT_AT_ONCE, 'so many at a time')
    t.equal((await storage.revocations.sweep(HOUR_MS)).dropped, 20)
    t.strictSame(await pageAt(storage, START), { revocations: [], next: head, isMore: false }, 'the numbers go on')
  })

  t.test('what nobody has finished is handed over, to one at a time', async (t) => {
    const { storage, other, clock } = await start(t)
    const [left, done] = [announcementOf(clock), announcementOf(clock)]
    await storage.revocations.announce([left, done])
    await storage.revocations.finish([done])
    const handed = async (to: Storage) => idsOf((await to.revocations.sweep(10_000)).unfinished)
    clock.advance(9_999)
    t.strictSame(await handed(other), [])
    clock.advance(1)
    t.strictSame([...(await handed(other)), ...(await handed(storage))], [left.authorizationId])
    clock.advance(10_000)
    t.strictSame(await handed(storage), [left.authorizationId], 'whoever had it did not finish it either')
    await other.revocations.finish([left])
    clock.advance(10_000)
    t.strictSame(await handed(storage), [])
    // Long after the end of its tokens, it is still to be revoked: a refresh token would bring others.
    await storage.revocations.announce([announcementOf(clock)])
    clock.advance(10 * HOUR_MS)
    const swept = await other.revocations.sweep(10_000)
    t.strictSame([swept.dropped, swept.unfinished.length], [3, 1])
  })

  t.test('whatever happens in which order, a reader misses nothing and is told nothing twice', (t) => readers(t, start))

  t.test('a revocation', async (t) => {
    await revoking(t, start)
  })
}

const idsOf = (found: readonly { authorizationId: string }[]) => found.map(({ authorizationId }) => authorizationId)
const sorted = <T extends { authorizationId: string }>(found: readonly T[]) =>
  [...found].sort((a, b) => (a.authorizationId < b.authorizationId ? -1 : 1))

const entryOf = ({ authorizationId, revokedAtMs, untilMs }: Announcement) => ({ authorizationId, revokedAtMs, untilMs })

function announcementOf(clock: () => number): Announcement {
  return { userId: 'ann', authorizationId: randomUUID(), revokedAtMs: clock(), untilMs: clock() + HOUR_MS }
}

async function announceAll({ revocations }: Storage, made: readonly Announcement[]): Promise<void> {
  for (let i = 0; i < made.length; i += LARGEST_PAGE) await revocations.announce(made.slice(i, i + LARGEST_PAGE))
}

async function pageAt({ revocations }: Storage, after: FeedPosition = START, most = 100) {
  const page = await revocations.page(after, most)
  if (page === 'gone') throw new Error(`gone: ${after}`)
  return page
}

/** Random histories of a feed with readers, each of which may start over at any time. */
async function readers(t: Test, start: StartEngine): Promise<void> {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}`)
  const seen = { read: 0, dropped: 0, repeated: 0 }
  const step = fc.oneof(
    fc.record({
      do: fc.constant('announce' as const),
      count: fc.integer({ min: 1, max: 5 }),
      lifeMs: fc.integer({ min: 1, max: 5_000 })
    }),
    fc.record({ do: fc.constant('repeat' as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 1_000, KEPT_AFTER_MS) }),
    fc.record({ do: fc.constant('sweep' as const) }),
    fc.record({
      do: fc.constant('read' as const),
      who: fc.nat(2),
      most: fc.integer({ min: 1, max: 4 }),
      isNew: fc.nat(9)
    })
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 60, size: 'max' }), async (steps) => {
      const { storage, other, clock } = await start(t)
      /** In the order of their numbers. */
      const made: Announcement[] = []
      const positions = [START, START, START]
      /** How many of `made` each reader has been told, or need not be told any more. */
      const told = [0, 0, 0]
      for (const [one, isOther] of steps) {
        const { revocations } = isOther ? other : storage
        if (one.do === 'announce') {
          const more = times(one.count, () => ({ ...announcementOf(clock), untilMs: clock() + one.lifeMs }))
          await revocations.announce(more)
          made.push(...more)
        } else if (one.do === 'repeat') {
          const again = made[one.which % Math.max(1, made.length)]
          // One that has ended would be announced anew, which nobody does.
          if (again === undefined || again.untilMs <= clock()) continue
          await revocations.announce([again])
          seen.repeated += 1
        } else if (one.do === 'pass') clock.advance(one.ms)
        else if (one.do === 'sweep') seen.dropped += (await revocations.sweep(HOUR_MS)).dropped
        else {
          const { who } = one
          if (one.isNew === 0) {
            positions[who] = START
            told[who] = 0
          }
          const page = await revocations.page(positions[who] as FeedPosition, one.most)
          if (page === 'gone') throw new Error('gone')
          const expected = made.slice(told[who])
          let at = 0
          for (const found of page.revocations) {
            while (expected[at]?.authorizationId !== found.authorizationId) {
              const missed = expected[at]
              if (missed === undefined) throw new Error(`${found.authorizationId} is told twice, or never was`)
              if (missed.untilMs > clock()) throw new Error(`${missed.authorizationId} was missed`)
              at += 1
            }
            at += 1
            seen.read += 1
          }
          if (!page.isMore) {
            const missed = expected.slice(at).find(({ untilMs }) => untilMs > clock())
            if (missed) throw new Error(`${missed.authorizationId} was missed at the end`)
            at = expected.length
          } else if (page.revocations.length < one.most) throw new Error('a page that is not full, and more')
          positions[who] = page.next
          told[who] = (told[who] as number) + at
        }
      }
    }),
    { seed, numRuns: 60 }
  )
  t.comment(JSON.stringify(seen))
  for (const [what, count] of Object.entries(seen)) t.ok(count > 0, `${what}: ${count}`)
}

const REQUEST = { clientId: 'cli', clientType: 'cli', scopes: [], metadata: {} } as const
const CLIENTS = builtInClients(30 * 24 * 3_600).map((client) => ({ ...client, accessTokenTtlSeconds: 3_600 }))

/** The core over both instances. `breaks` makes a step of the first one fail from then on. */
function coreOver(t: Test, { storage, other, clock }: Engine) {
  const clients = createClients(CLIENTS)
  const [client] = CLIENTS as [Client]
  const broken = new Set<string>()
  const before: (() => Promise<void>)[] = []
  let revoked = 0
  const breaking = (records: RecordStore): RecordStore => ({
    ...records,
    async get(...args) {
      if (broken.has('read')) throw fault('unavailable')
      return records.get(...args)
    },
    async change(...args) {
      if (broken.has('change')) throw fault('unavailable')
      await before.pop()?.()
      const fields = await records.change(...args)
      if (broken.has('answer')) throw fault('unavailable')
      return fields
    },
    async end(...args) {
      if (broken.has('change')) throw fault('unavailable')
      return records.end(...args)
    }
  })
  function of(
    { authorizations, authorizationUsers: parents, users: userRecords, revocations: store, epochs }: Storage,
    records = authorizations
  ) {
    const audit = keptNowhere
    const epoch = createEpoch({ records: epochs, clock, audit })
    const users = createUsers({ records: userRecords, clock, audit })
    const revoking = createRevoking({ records, store, clients, clock, audit })
    const { sweep } = createRevocationSweep(store, revoking, (error) => t.error(error as Error))
    const events = {
      revoked() {
        revoked += 1
      }
    }
    const made = createAuthorizations({ records, users, epoch, revoking, clients, clock, events, audit })
    return {
      ...made,
      sweep,
      approvals: createApprovals({ records, parents, authorizations: made, users, epoch, clock })
    }
  }
  const [here, there] = [of(storage, breaking(storage.authorizations)), of(other)]
  const decisionOf = (authorizationId: string) => ({
    userId: 'ann',
    authorizationId,
    ip: '192.0.2.1',
    revokedAllId: ''
  })
  return {
    here,
    there,
    client,
    breaks: (what: 'read' | 'change' | 'answer') => void broken.add(what),
    mends: () => broken.clear(),
    /** Does this before the next change of a record by the first one. */
    meanwhile: (work: () => Promise<void>) => void before.push(work),
    revoked: () => revoked,
    async approve(id = randomUUID()) {
      await there.approvals.prepare(client, REQUEST, { ...decisionOf(id), lapsesAtMs: clock() + 900_000 })
      return id
    },
    collect: (id: string) =>
      there.approvals.collect(client, { request: REQUEST, decision: decisionOf(id), createdAtMs: clock() }),
    announced: async () => idsOf((await pageAt(other, START, 1_000)).revocations)
  }
}

async function revoking(t: Test, start: StartEngine): Promise<void> {
  const ready = async (t: Test) => {
    const engine = await start(t)
    return { ...engine, ...coreOver(t, engine) }
  }

  t.test('is announced once, for as long as a token may live', async (t) => {
    const { here, there, other, clock, approve, collect, announced, revoked } = await ready(t)
    const id = await approve()
    await collect(id)
    t.equal(await here.revoke('ann', randomUUID(), 'owner', BY), undefined)
    t.strictSame(await announced(), [], 'what is not there')
    t.type((await here.revoke('ann', id, 'owner', BY))?.revokedAtMs, 'number')
    await there.revoke('ann', id, 'owner', BY)
    await here.revokeAll('ann', 'owner', BY)
    const { revocations } = await pageAt(other)
    t.strictSame(idsOf(revocations), [id])
    t.strictSame(
      [revocations[0]?.revokedAtMs, revocations[0]?.untilMs],
      [clock(), clock() + 3_600_000 + 60_000],
      'an hour, and a minute for clocks and what is under way'
    )
    t.equal(revoked(), 2, 'as many as there were revocations of one that is there')
    clock.advance(20_000)
    t.strictSame((await other.revocations.sweep(10_000)).unfinished, [], 'it is finished')
  })

  t.test('lasts as long as the tokens of other times and versions', async (t) => {
    const { here, other, storage, clock, approve, collect } = await ready(t)
    const until = async (id: string) => {
      await here.revoke('ann', id, 'owner', BY)
      return (await pageAt(other, START, 1_000)).revocations.find(({ authorizationId }) => authorizationId === id)
        ?.untilMs
    }
    const ids = [await approve(), await approve(), await approve()]
    const [old = '', long = '', foreign = ''] = ids
    for (const id of ids) await collect(id)
    const { expiresAtMs } = (await here.get('ann', old)) ?? {}
    await storage.authorizations.change('ann', old, { clear: ['tokenLifeMs'] })
    t.equal(await until(old), expiresAtMs, 'of a version that did not note it')
    await storage.authorizations.change('ann', long, { set: { tokenLifeMs: '86400000' } })
    t.equal(await until(long), clock() + 86_460_000, 'when tokens lived for a day')
    await storage.authorizations.change('ann', foreign, { set: { clientId: 'gone' } })
    t.equal(await until(foreign), expiresAtMs, 'of a client that is there no more')

    const shorter = await approve()
    await collect(shorter)
    await storage.authorizations.change('ann', shorter, { set: { tokenLifeMs: '1000' } })
    const authorization = await here.get('ann', shorter)
    if (authorization) await here.noteUse(authorization)
    t.equal((await here.get('ann', shorter))?.tokenLifeMs, 3_600_000, 'a longer life is noted with the use')
  })

  t.test('of what nobody has collected is told to nobody, unless it is collected meanwhile', async (t) => {
    const { here, approve, collect, announced, meanwhile } = await ready(t)
    const quiet = await approve()
    t.type((await here.revoke('ann', quiet, 'owner', BY))?.revokedAtMs, 'number')
    t.equal(await collect(quiet), undefined)
    t.strictSame(await announced(), [])
    const late = await approve()
    let collected: unknown
    meanwhile(async () => {
      collected = await collect(late)
    })
    t.type((await here.revoke('ann', late, 'owner', BY))?.revokedAtMs, 'number')
    t.ok(collected, 'it was collected before it could be revoked')
    t.strictSame(await announced(), [late], 'so that its tokens are out')
    t.equal(await collect(late), undefined)
  })

  t.test('that was cut off after its announcement is finished by whoever looks next', async (t) => {
    const { here, there, other, clock, approve, collect, announced, breaks, mends } = await ready(t)
    const ids = [await approve(), await approve(), await approve()]
    const [one = '', two = '', kept = ''] = ids
    for (const id of ids) await collect(id)
    breaks('change')
    await t.rejects(here.revoke('ann', one, 'owner', BY), { code: 'unavailable' })
    mends()
    breaks('answer')
    await t.rejects(here.revoke('ann', two, 'owner', BY), { code: 'unavailable' })
    mends()
    t.strictSame(await announced(), [one, two], 'nothing is revoked that is not announced')
    t.ok(await there.find('ann', one))
    await there.sweep()
    t.ok(await there.find('ann', one), 'whoever began has its time')
    clock.advance(10_000)
    await Promise.all([there.sweep(), here.sweep()])
    for (const id of [one, two]) t.type((await there.get('ann', id))?.revokedAtMs, 'number')
    t.ok(await there.find('ann', kept))
    clock.advance(10_000)
    t.strictSame((await other.revocations.sweep(10_000)).unfinished, [])
    t.strictSame(await announced(), [one, two])
  })

  t.test('that is finished late is told again, since tokens were signed in the meantime', async (t) => {
    const { here, there, other, clock, approve, collect, announced, breaks, mends } = await ready(t)
    const ids = [await approve(), await approve()]
    const [late = '', done = ''] = ids
    for (const id of ids) await collect(id)
    breaks('change')
    await t.rejects(here.revoke('ann', late, 'owner', BY), { code: 'unavailable' })
    mends()
    breaks('answer')
    await t.rejects(here.revoke('ann', done, 'owner', BY), { code: 'unavailable' })
    mends()
    const { next } = await pageAt(other)
    // Nobody could finish it for ten minutes, in which its client refreshed.
    clock.advance(600_000)
    t.ok(await there.find('ann', late))
    await there.sweep()
    t.type((await there.get('ann', late))?.revokedAtMs, 'number')
    const { revocations } = await pageAt(other, next)
    t.strictSame(
      revocations.map(({ authorizationId, untilMs }) => [authorizationId, untilMs]),
      [[late, clock() + 3_600_000 + 60_000]],
      'as long as what was signed last, but not what had been revoked in time'
    )
    t.strictSame(await announced(), [done, late])
  })

  t.test('that is finished while its record cannot be read is told for as long as any may last', async (t) => {
    const { here, there, other, clock, approve, collect, breaks, mends } = await ready(t)
    const id = await approve()
    await collect(id)
    breaks('change')
    await t.rejects(here.revoke('ann', id, 'owner', BY), { code: 'unavailable' })
    mends()
    clock.advance(600_000)
    breaks('read')
    await here.sweep()
    mends()
    t.type((await there.get('ann', id))?.revokedAtMs, 'number')
    const { revocations } = await pageAt(other)
    t.strictSame(
      revocations.map(({ authorizationId, untilMs }) => [authorizationId, untilMs]),
      [[id, clock() + LONGEST_LIFE_MS]]
    )
  })

  t.test('of all is announced in whole steps, and finished as well', async (t) => {
    const { here, there, clock, approve, collect, announced, breaks, mends } = await ready(t)
    const ids = await Promise.all(times(120, () => approve()))
    for (const id of ids.slice(0, 115)) await collect(id)
    breaks('change')
    await t.rejects(here.revokeAll('ann', 'owner', BY), { code: 'unavailable' })
    mends()
    const first = await announced()
    t.equal(first.length, 50)
    clock.advance(10_000)
    await there.sweep()
    for (const id of first) t.type((await there.get('ann', id))?.revokedAtMs, 'number')
    t.equal(await here.revokeAll('ann', 'owner', BY), 70)
    const all = new Set(await announced())
    for (const id of ids.slice(0, 115)) t.ok(all.has(id), 'each of which there are tokens')
    t.equal((await there.page('ann')).active, 0)
  })

  t.test('that cannot be finished keeps nobody from finishing the others', async (t) => {
    const { here, there, other, storage, clock, approve, collect, breaks, mends } = await ready(t)
    const ids = [await approve(), await approve()]
    const [spoilt = '', other1 = ''] = ids
    for (const id of ids) await collect(id)
    breaks('change')
    for (const id of ids) await t.rejects(here.revoke('ann', id, 'owner', BY))
    mends()
    clock.advance(10_000)
    const { authorizations: records, revocations: store } = storage
    const revoking = createRevoking({
      records: {
        ...records,
        change: async (parent, id, changes) => {
          if (id === spoilt) throw fault('unavailable')
          return records.change(parent, id, changes)
        }
      },
      ...{ store, clients: createClients(CLIENTS), clock },
      audit: keptNowhere
    })
    await createRevocationSweep(store, revoking, (error) => t.error(error as Error)).sweep()
    t.type((await there.get('ann', other1))?.revokedAtMs, 'number')
    clock.advance(10_000)
    t.strictSame(idsOf((await other.revocations.sweep(10_000)).unfinished), [spoilt])
  })
}
