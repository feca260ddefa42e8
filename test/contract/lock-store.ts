/** The contract of every engine's locks: src/core/records/record-store.ts. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type StartEngine, times } from './engine.js'

export function lockStoreContract(t: Test, start: StartEngine): void {
  t.test('a lock has one holder, until it is given back', async (t) => {
    const { storage, other } = await start(t)
    const name = randomUUID()
    t.equal(await storage.locks.acquire(name, 'one', 60_000), true)
    t.equal(await other.locks.acquire(name, 'two', 60_000), false)
    t.equal(await storage.locks.acquire(name, 'one', 60_000), true, 'the same attempt again')
    t.equal(await other.locks.acquire(randomUUID(), 'two', 60_000), true, 'another lock')
    await other.locks.release(name, 'two')
    t.equal(await other.locks.acquire(name, 'two', 60_000), false, 'nobody gives back what is not theirs')
    await storage.locks.release(name, 'one')
    await storage.locks.release(name, 'one')
    t.equal(await other.locks.acquire(name, 'two', 60_000), true)
  })

  t.test('a lock whose holder is gone ends by itself', async (t) => {
    const { storage, other } = await start(t)
    const name = randomUUID()
    await storage.locks.acquire(name, 'gone', 50)
    while (!(await other.locks.acquire(name, 'next', 60_000))) await sleep(5)
    await storage.locks.release(name, 'gone')
    t.equal(await storage.locks.acquire(name, 'third', 60_000), false, 'who comes back late takes nothing away')
  })

  t.test('of 50 that want it at once one gets it', async (t) => {
    const { storage, other } = await start(t)
    const name = randomUUID()
    const got = await Promise.all(times(50, (i) => (i % 2 === 0 ? storage : other).locks.acquire(name, `${i}`, 60_000)))
    t.equal(got.filter(Boolean).length, 1)
  })
}
