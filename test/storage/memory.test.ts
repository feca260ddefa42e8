import t, { type Test } from 'tap'
import { createMemoryStorage } from '../../src/storage/memory/index.js'
import { decisionFeedContract } from '../contract/decision-feed.js'
import type { Engine } from '../contract/engine.js'
import { grantModel } from '../contract/grant-model.js'
import { grantStoreContract } from '../contract/grant-store.js'
import { limitStoreContract } from '../contract/limit-store.js'
import { lockStoreContract } from '../contract/lock-store.js'
import { recordStoreContract } from '../contract/record-store.js'
import { refreshFamilyModel } from '../contract/refresh-family-model.js'
import { refreshFamilyStoreContract } from '../contract/refresh-family-store.js'
import { signingKeyStoreContract } from '../contract/signing-key-store.js'
import { testClock } from '../support/app.js'

async function start(_t: Test): Promise<Engine> {
  const clock = testClock()
  const storage = createMemoryStorage(clock)
  return { storage, other: storage, clock, pass: async (ms) => clock.advance(ms) }
}

t.test('grants in memory', async (t) => grantStoreContract(t, start))
t.test('decisions in memory', async (t) => decisionFeedContract(t, start))
t.test('refresh families in memory', async (t) => refreshFamilyStoreContract(t, start))
t.test('records in memory', async (t) => recordStoreContract(t, start))
t.test('limits in memory', async (t) => limitStoreContract(t, start))
t.test('locks in memory', async (t) => lockStoreContract(t, start))
t.test('signing keys in memory', async (t) => signingKeyStoreContract(t, start))
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
