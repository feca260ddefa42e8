import t, { type Test } from 'tap'
import { isFault } from '../../src/core/fault.js'
import { createBoundedCache } from '../../src/core/records/bounded-cache.js'
import type { RecordStore } from '../../src/core/records/record-store.js'
import { createTurns } from '../../src/core/records/turns.js'
import { createMemoryStorage } from '../../src/storage/memory/index.js'
import { CLIENT_TAG, decisionOf, type Engine, newDigest, newTag, requestOf } from '../contract/engine.js'
import { grantModel } from '../contract/grant-history.js'
import { refreshFamilyModel } from '../contract/refresh-family-model.js'
import { storageContract } from '../contract/storage.js'
import { testClock } from '../support/app.js'
import { until } from '../support/until.js'

async function start(t: Test): Promise<Engine> {
  const clock = testClock()
  const storage = createMemoryStorage(clock)
  t.teardown(() => storage.close())
  return { storage, other: storage, clock, pass: async (ms) => clock.advance(ms) }
}

t.test('what every engine keeps to, in memory', async (t) => storageContract(t, start))
t.test('grants in memory follow the rules, whatever happens in which order', (t) =>
  grantModel(t, start, { runs: 2_000, freshEachRun: true })
)

t.test('refresh families in memory follow the rules, whatever happens in which order', (t) =>
  refreshFamilyModel(t, start, { runs: 2_000, freshEachRun: true })
)

t.test('the memory engine opens, is well and closes without more ado', async (t) => {
  const { storage } = await start(t)
  t.equal(storage.engine, 'memory')
  await t.resolves(storage.open())
  await t.resolves(storage.check())
  await t.resolves(storage.close())
})

t.test('what has expired goes by itself, without further traffic, until the engine is closed', async (t) => {
  const clock = testClock()
  /** One entry of every kind, the shortest of which lasts a second of this clock. */
  const filled = async () => {
    const storage = createMemoryStorage(clock, { sweepEveryMs: 1 })
    t.teardown(() => storage.close())
    const grant = { request: requestOf(), clientTag: CLIENT_TAG, lifeMs: 1_000, intervalMs: 1_000 }
    await storage.grants.create(newDigest(), newTag(), grant)
    const [approved, tag] = [newDigest(), newTag()]
    await storage.grants.create(approved, tag, { ...grant, lifeMs: 900_000 })
    await storage.grants.decide(approved, decisionOf())
    await storage.grants.collect(approved)
    const stores = Object.values(storage).filter((store) => typeof store === 'object' && 'createWithin' in store)
    for (const store of stores as RecordStore[]) await store.create('parent', 'id', {}, clock() + 1_000)
    t.ok(stores.length >= 15, `${stores.length} kinds of records`)
    await storage.refreshFamilies.begin('a', { userId: 'alice', currentDigest: newDigest() }, clock() + 1_000)
    await storage.authorizationUsers.note([{ id: 'id', parent: 'parent', keepUntilMs: clock() + 1_000 }])
    await storage.limits.hit('a', 1_000)
    await storage.limits.take('b', '1', 1, 1_000)
    // Locks go by a clock of their own, like those of Redis.
    await storage.locks.acquire('a', 'holder', 1)
    return storage
  }
  const [closed, open] = [await filled(), await filled()]
  await closed.close()
  const before = closed.kept()
  clock.advance(2_000_000)
  await until(async () => open.kept() === 0)
  t.ok(before >= 23, `${before} entries`)
  t.equal(closed.kept(), before, 'nobody sweeps any more')

  await open.authorizations.create('parent', 'id', {}, clock() + 10_000)
  await open.limits.hit('a', 10_000)
  clock.advance(10_000)
  await until(async () => open.kept() === 0)
})

t.test('a bounded map holds no more than it says: what was put in first goes first', async (t) => {
  const cache = createBoundedCache<number>(3)
  for (const [key, value] of Object.entries({ a: 1, b: 2, c: 3 })) cache.set(key, value)
  t.same(
    ['a', 'b', 'c', 'd'].map((key) => cache.get(key)),
    [1, 2, 3, undefined]
  )
  cache.set('a', 4)
  cache.set('d', 5)
  t.same(
    ['a', 'b', 'c', 'd'].map((key) => cache.get(key)),
    [4, undefined, 3, 5],
    'what is put in again is new'
  )
  cache.delete('c')
  cache.delete('never there')
  cache.set('__proto__', 6)
  t.same(
    ['a', 'c', 'd', '__proto__'].map((key) => cache.get(key)),
    [4, undefined, 5, 6],
    'what was taken away leaves its place'
  )
  for (let i = 0; i < 10_000; i++) cache.set(`${i}`, i)
  t.same(
    ['a', 'd', '9996', '9997', '9998', '9999'].map((key) => cache.get(key)),
    [undefined, undefined, undefined, 9_997, 9_998, 9_999]
  )
})

t.test('the pieces of long lists take turns, party by party', async (t) => {
  t.test('what one party wants many times keeps nobody else waiting', async (t) => {
    const turns = createTurns(1)
    const done: string[] = []
    const ask = (party: string) => turns(party, async () => done.push(party))
    await Promise.all([...Array.from({ length: 30 }, () => ask('ann')), ask('bob'), ask('carol'), ask('bob')])
    t.same(done.slice(0, 6), ['ann', 'ann', 'bob', 'carol', 'ann', 'bob'])
    t.equal(done.length, 33)
  })

  t.test('one party has no more than their part at a time, though more are free', async (t) => {
    const turns = createTurns(3, 2)
    const running = new Map<string, number>()
    let most = 0
    const ask = (party: string) =>
      turns(party, async () => {
        running.set(party, (running.get(party) ?? 0) + 1)
        most = Math.max(most, running.get('ann') ?? 0)
        const bob = running.get('bob') ?? 0
        await new Promise((resolve) => setImmediate(resolve))
        running.set(party, (running.get(party) ?? 0) - 1)
        return bob
      })
    const asked = [...Array.from({ length: 10 }, () => ask('ann')), ask('bob')]
    t.equal(await asked[10], 1, 'bob runs beside them')
    await Promise.all(asked)
    t.equal(most, 2)
  })

  t.test('who waits is bounded, for one party and in all', async (t) => {
    const turns = createTurns(1)
    let finish = () => {}
    const first = turns('ann', () => new Promise<void>((resolve) => (finish = resolve)))
    const ask = (party: string) =>
      turns(party, async () => 'done').catch((error: unknown) => (isFault(error) ? error.code : error))
    const ofAnn = Array.from({ length: 251 }, () => ask('ann'))
    t.equal(await ofAnn[250], 'overloaded')
    const others = ['bob', 'carol', 'dave'].flatMap((party) => Array.from({ length: 250 }, () => ask(party)))
    others.push(...Array.from({ length: 11 }, () => ask('eve')))
    t.equal(await others.at(-1), 'overloaded', 'all places are taken, and eve has a few')
    finish()
    await first
    t.equal((await Promise.all([...ofAnn, ...others])).filter((outcome) => outcome === 'done').length, 1_010)
    t.equal(await ask('ann'), 'done', 'and all have room again')
  })
})
