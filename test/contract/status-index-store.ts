/** The contract of every engine's places in status lists, and of the entries of revocations that name them. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { START } from '../../src/core/authorizations/revocation-store.js'
import { PLACES_PER_LIST } from '../../src/core/authorizations/status-index.js'
import { type StartEngine, times } from './engine.js'

export function statusIndexStoreContract(t: Test, start: StartEngine): void {
  t.test('whoever takes a place gets one that nobody has, on whichever instance', async (t) => {
    const { storage, other } = await start(t)
    t.equal(await storage.statusIndices.currentList(), 0)
    const taken = await Promise.all(times(1_000, (i) => (i % 2 === 0 ? storage : other).statusIndices.take()))
    t.equal(new Set(taken).size, 1_000)
    t.ok(taken.every((index) => Number.isInteger(index) && index >= 0 && index < PLACES_PER_LIST))
    t.ok(Math.max(...taken) - Math.min(...taken) > PLACES_PER_LIST / 2, 'they are all over the list')
    t.equal(await other.statusIndices.currentList(), 0)
  })

  t.test('an entry of the feed keeps the place of its authorization', async (t) => {
    const { storage, other, clock } = await start(t)
    const entries = [undefined, 0, 1_000_000_000_000].map((statusIndex) => ({
      ...{ authorizationId: randomUUID(), revokedAtMs: clock(), untilMs: clock() + 60_000 },
      ...(statusIndex !== undefined && { statusIndex })
    }))
    await storage.revocations.announce(entries.map((entry) => ({ ...entry, userId: 'ann' })))
    const page = await other.revocations.page(START, 10)
    t.strictSame(page !== 'gone' && page.revocations, entries)
  })
}
