import t, { type Test } from 'tap'
import { createBoundedCache } from '../../src/core/records/bounded-cache.js'
import { createMemoryStorage } from '../../src/storage/memory/index.js'
import type { Engine } from '../contract/engine.js'
import { grantModel } from '../contract/grant-history.js'
import { refreshFamilyModel } from '../contract/refresh-family-model.js'
import { storageContract } from '../contract/storage.js'
import { testClock } from '../support/app.js'

async function start(_t: Test): Promise<Engine> {
  const clock = testClock()
  const storage = createMemoryStorage(clock)
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
