/** The contract of every engine's limit store: src/core/limits/limits.ts. */
import type { Test } from 'tap'
import { API_KEY_FIELDS } from '../../src/core/api-keys/api-key.js'
import { limitKey } from '../../src/core/limits/limits.js'
import { JSON_RECORD_FIELDS } from '../../src/core/records/json-records.js'
import type { WantedRecord } from '../../src/core/records/record-store.js'
import { type StartEngine, times } from './engine.js'

const WINDOW_MS = 600_000
/** Redis measures windows by its own clock, which goes on while a test runs. */
const DRIFT_MS = 5_000

export function limitStoreContract(t: Test, start: StartEngine): void {
  t.test('hits', (t) => hits(t, start))
  t.test('attempts', (t) => attempts(t, start))
  t.test('records beside a hit', (t) => recordsBesideHits(t, start))
}

async function hits(t: Test, start: StartEngine): Promise<void> {
  t.test('hits of a window are counted, and the window closes a fixed time after the first', async (t) => {
    const { storage, other, pass } = await start(t)
    const about = (actual: number, expected: number) =>
      t.ok(actual <= expected && actual > expected - DRIFT_MS, `${actual} ms is about ${expected} ms`)
    const first = await storage.limits.hit('a', WINDOW_MS)
    t.equal(first.count, 1)
    about(first.resetsInMs, WINDOW_MS)
    await pass(WINDOW_MS / 2)
    const second = await other.limits.hit('a', WINDOW_MS)
    t.equal(second.count, 2)
    about(second.resetsInMs, WINDOW_MS / 2)
    t.equal((await storage.limits.hit('b', WINDOW_MS)).count, 1, 'each key has a count of its own')
    await pass(WINDOW_MS / 2)
    const third = await storage.limits.hit('a', WINDOW_MS)
    t.equal(third.count, 1, 'a new window')
    about(third.resetsInMs, WINDOW_MS)
  })

  t.test('100 hits at once are all counted', async (t) => {
    const { storage, other } = await start(t)
    const counts = await Promise.all(times(100, (i) => (i % 2 === 0 ? storage : other).limits.hit('a', WINDOW_MS)))
    t.same(
      counts.map(({ count }) => count).sort((a, b) => a - b),
      times(100, (i) => i + 1)
    )
  })
}

async function attempts(t: Test, start: StartEngine): Promise<void> {
  t.test('the attempts that are taken are listed, the first ones first, and counted', async (t) => {
    const { storage, other, pass } = await start(t)
    const { take, taken, giveBack } = storage.limits
    t.same(await taken('a', WINDOW_MS, { most: 5 }), { attempts: [], count: 0 })
    const ids = times(7, (i) => `attempt ${i}`)
    for (const id of ids) {
      await take('a', id, 100, WINDOW_MS)
      await pass(1_000)
    }
    await take('b', 'of another key', 100, WINDOW_MS)
    const found: string[] = []
    let after: { id: string; atMs: number } | undefined
    do {
      const page = await other.limits.taken('a', WINDOW_MS, { after, most: 3 })
      t.equal(page.count, 7)
      found.push(...page.attempts.map(({ id }) => id))
      after = page.attempts.at(-1)
      // Its place stays one.
      if (found.length === 3) await giveBack('a', 'attempt 2')
      if (found.length === 3) await take('a', 'attempt 7', 100, WINDOW_MS)
    } while (after)
    t.strictSame(found, [...ids, 'attempt 7'])
    await pass(WINDOW_MS - 3_000)
    const left = await taken('a', WINDOW_MS, { most: 100 })
    t.strictSame(left.attempts.map(({ id }) => id).slice(-1), ['attempt 7'], 'what has come free is not there')
    t.equal(left.count, left.attempts.length)
    t.ok(left.count < 7)
  })

  t.test('attempts of one millisecond are each on one page', async (t) => {
    const { storage } = await start(t)
    const ids = times(40, (i) => `${String(i).padStart(2, '0')}`)
    await Promise.all(ids.map((id) => storage.limits.take('a', id, 100, WINDOW_MS)))
    const found: string[] = []
    let after: { id: string; atMs: number } | undefined
    do {
      const page = await storage.limits.taken('a', WINDOW_MS, { after, most: 3 })
      found.push(...page.attempts.map(({ id }) => id))
      after = page.attempts.at(-1)
    } while (after)
    t.strictSame(found.sort(), ids)
  })

  t.test('an attempt comes free a window after it was taken, the oldest first', async (t) => {
    const { storage, pass } = await start(t)
    const take = (id: string) => storage.limits.take('a', id, 2, WINDOW_MS)
    t.equal(await take('1'), undefined)
    await pass(100_000)
    t.equal(await take('2'), undefined)
    t.same(await take('3'), { freeInMs: WINDOW_MS - 100_000 })
    t.same(await storage.limits.look('a', 2, WINDOW_MS), { freeInMs: WINDOW_MS - 100_000 })
    for (let i = 0; i < 5; i++) t.equal(await storage.limits.look('a', 3, WINDOW_MS), undefined, 'a look takes nothing')
    t.equal(await storage.limits.look('never taken', 1, WINDOW_MS), undefined)
    await pass(WINDOW_MS - 100_000 - 1)
    t.same(await take('3'), { freeInMs: 1 })
    await pass(1)
    t.equal(await take('3'), undefined, 'the first one is free to the millisecond')
    t.same(await take('4'), { freeInMs: 100_000 }, 'the second one is not')
  })

  t.test('what was refused takes nothing', async (t) => {
    const { storage, pass } = await start(t)
    const take = (id: string) => storage.limits.take('a', id, 1, WINDOW_MS)
    await take('1')
    await pass(WINDOW_MS / 2)
    for (const id of times(20, (i) => `refused ${i}`)) t.same(await take(id), { freeInMs: WINDOW_MS / 2 })
    await pass(WINDOW_MS / 2)
    t.equal(await take('2'), undefined)
  })

  t.test('the same attempt is taken once, however often it is asked for', async (t) => {
    const { storage } = await start(t)
    const take = (id: string) => storage.limits.take('a', id, 2, WINDOW_MS)
    for (let i = 0; i < 5; i++) t.equal(await take('same'), undefined)
    t.equal(await take('another'), undefined, 'so there is room for another')
    t.equal(await take('same'), undefined, 'and it stays taken when all are')
    t.ok(await take('third'))
  })

  t.test('an attempt that is given back is free at once, and giving back may be repeated', async (t) => {
    const { storage, other } = await start(t)
    const take = (id: string) => storage.limits.take('a', id, 1, WINDOW_MS)
    await take('1')
    t.ok(await take('2'))
    await other.limits.giveBack('a', '1')
    await other.limits.giveBack('a', '1')
    await other.limits.giveBack('a', 'never taken')
    await other.limits.giveBack('never used', '1')
    t.equal(await take('2'), undefined)
    t.ok(await take('3'))
    await storage.limits.giveBack('a', '1')
    t.ok(await take('3'), 'giving back what is not held gives nothing')
  })

  t.test('each key has attempts of its own, whatever its parts are', async (t) => {
    const { storage } = await start(t)
    const keys = [
      limitKey('a', 'b'),
      limitKey('a:b'),
      limitKey('a', 'b', ''),
      limitKey('{a}', '*'),
      limitKey('ü\n', '日')
    ]
    t.equal(new Set(keys).size, keys.length)
    for (const key of keys) t.equal(await storage.limits.take(key, '1', 1, WINDOW_MS), undefined)
    for (const key of keys) t.ok(await storage.limits.take(key, '2', 1, WINDOW_MS))
  })

  t.test('of 100 that take one of five attempts at once five get one', async (t) => {
    const { storage, other, pass } = await start(t)
    const round = async (name: string) => {
      const all = times(100, (i) => (i % 2 === 0 ? storage : other).limits.take('a', `${name} ${i}`, 5, WINDOW_MS))
      return (await Promise.all(all)).filter((refused) => refused === undefined).length
    }
    t.equal(await round('first'), 5)
    t.equal(await round('second'), 0)
    await pass(WINDOW_MS)
    t.equal(await round('third'), 5)
  })

  t.test('thousands of keys that are over do not disturb those that are not', async (t) => {
    const { storage, pass } = await start(t)
    await Promise.all(times(1_500, (i) => storage.limits.take(`old ${i}`, '1', 1, 1_000)))
    await Promise.all(times(500, (i) => storage.limits.hit(`old hits ${i}`, 1_000)))
    await storage.limits.take('young', '1', 1, WINDOW_MS)
    await storage.limits.hit('young hits', WINDOW_MS)
    await pass(10_000)
    await Promise.all(times(1_500, (i) => storage.limits.take(`new ${i}`, '1', 1, WINDOW_MS)))
    t.same(await storage.limits.take('young', '2', 1, WINDOW_MS), { freeInMs: WINDOW_MS - 10_000 })
    t.equal((await storage.limits.hit('young hits', WINDOW_MS)).count, 2)
    t.equal(await storage.limits.take('old 7', '2', 1, WINDOW_MS), undefined)
    t.equal((await storage.limits.hit('old hits 7', WINDOW_MS)).count, 1)
  })
}

async function recordsBesideHits(t: Test, start: StartEngine): Promise<void> {
  const fieldsOf = (names: readonly string[], of: string) =>
    Object.fromEntries(names.map((name) => [name, `${name} of ${of}`]))
  const all: WantedRecord[] = [
    { of: 'apiKeys', parent: 'acme', id: 'key' },
    { of: 'issuers', parent: 'acme', id: 'an issuer' },
    { of: 'workloads', parent: 'an issuer', id: '{x}:ü' }
  ]
  const [key, issuer, workload] = [
    fieldsOf(API_KEY_FIELDS, 'key'),
    fieldsOf(JSON_RECORD_FIELDS, 'issuer'),
    fieldsOf(JSON_RECORD_FIELDS, 'workload')
  ]
  const window = { key: 'a', lengthMs: WINDOW_MS }
  const withRecords = async (t: Test) => {
    const engine = await start(t)
    const { storage, clock } = engine
    const untilMs = clock() + 2 * WINDOW_MS
    await storage.apiKeys.create('acme', 'key', key, untilMs)
    await storage.issuers.create('acme', 'an issuer', issuer, untilMs)
    await storage.workloads.create('an issuer', '{x}:ü', workload, untilMs)
    return engine
  }

  t.test('records come in the order in which they were asked for, and the hit is one of its window', async (t) => {
    const { storage, other, pass } = await withRecords(t)
    t.strictSame(await storage.limits.readAndHit(all, undefined), { records: [key, issuer, workload], hit: undefined })
    t.equal((await storage.limits.hit('a', WINDOW_MS)).count, 1, 'what counts no hit counted none')
    const { records, hit } = await other.limits.readAndHit([...all].reverse(), window)
    t.strictSame([records, hit?.count], [[workload, issuer, key], 2])
    await pass(WINDOW_MS)
    t.equal((await storage.limits.readAndHit(all, window)).hit?.count, 1, 'a new window')
    t.equal((await other.limits.hit('a', WINDOW_MS)).count, 2, 'which is the same, however a hit comes')
    t.strictSame((await storage.limits.readAndHit([], window)).records, [])
  })

  t.test('what is not there is missing in its place, from the moment it is deleted anywhere', async (t) => {
    const { storage, other, pass } = await withRecords(t)
    const read = async () => (await storage.limits.readAndHit(all, window)).records
    await other.issuers.delete('acme', 'an issuer')
    t.strictSame(await read(), [key, undefined, workload])
    await other.workloads.delete('an issuer', '{x}:ü')
    t.strictSame(await read(), [key, undefined, undefined])
    await other.apiKeys.change('acme', 'key', { set: { revokedAtMs: '1' }, clear: ['label'] })
    const { label: _label, ...rest } = key
    t.strictSame(await read(), [{ ...rest, revokedAtMs: '1' }, undefined, undefined])
    await pass(2 * WINDOW_MS)
    t.strictSame(await read(), [undefined, undefined, undefined])
  })

  t.test('a record that lacks what it should have is no missing one', async (t) => {
    const { storage, clock } = await start(t)
    await storage.apiKeys.create('acme', 'key', { rights: 'tokens' }, clock() + WINDOW_MS)
    await storage.issuers.create('acme', 'an issuer', { updatedAtMs: '1' }, clock() + WINDOW_MS)
    const { records } = await storage.limits.readAndHit(all, undefined)
    t.strictSame(records, [{ rights: 'tokens' }, { updatedAtMs: '1' }, undefined])
  })

  t.test('100 hits beside records at once are all counted', async (t) => {
    const { storage, other } = await withRecords(t)
    const found = await Promise.all(times(100, (i) => (i % 2 ? storage : other).limits.readAndHit(all, window)))
    t.same(
      found.map(({ hit }) => hit?.count ?? 0).sort((a, b) => a - b),
      times(100, (i) => i + 1)
    )
  })
}
