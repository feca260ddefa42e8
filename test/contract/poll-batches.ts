/** Polls of one turn: each is judged as if it had come alone, however many there are and whatever stands beside it. */
import type { Test } from 'tap'
import { tagOf } from '../../src/core/clients/client.js'
import type { StoredPoll } from '../../src/core/grants/grant-store.js'
import { COLLECT_AGAIN_MS, RETENTION_MS } from '../../src/core/grants/state-machine.js'
import {
  CLIENT_TAG,
  decisionOf,
  INTERVAL_MS,
  LIFE_MS,
  newDigest,
  newTag,
  requestOf,
  type StartEngine,
  tally,
  times
} from './engine.js'

const SIZES = [1, 2, 3, 10, 99, 100, 101, 250]

/** What becomes of a grant, and what its poll is told. */
const FATES = ['pending', 'slow_down', 'approved', 'denied', 'expired', 'spent', 'unknown', 'another client'] as const
type Fate = (typeof FATES)[number]

export function pollBatchesContract(t: Test, start: StartEngine): void {
  t.test('as many as there are, all of grants of their own', async (t) => {
    const { storage, other } = await start(t)
    for (const size of SIZES) {
      const digests = await createAll(storage.grants, size)
      const kinds = async (grants = storage.grants) =>
        tally(await Promise.all(digests.map(async (digest) => (await grants.poll(digest, CLIENT_TAG)).kind)))
      t.same(await kinds(), { pending: size }, `${size} polls`)
      // What the first repetition may be told is in state-machine.ts; the one after that is refused.
      await kinds()
      t.same(await kinds(other.grants), { slow_down: size }, `${size} polls that come too early, at another instance`)
    }
  })

  t.test('each gets its own verdict, in every order', async (t) => {
    const { storage, pass } = await start(t)
    const { grants } = storage
    for (const round of times(FATES.length, (i) => i)) {
      const fates = times(40, (i) => FATES[(i + round) % FATES.length] as Fate)
      const expired = await createAll(grants, fates.length)
      await pass(LIFE_MS)
      const digests = await createAll(grants, fates.length)
      for (const [i, fate] of fates.entries()) {
        const digest = digests[i] as string
        if (fate === 'expired') digests[i] = expired[i] as string
        if (fate === 'unknown') digests[i] = newDigest()
        if (fate === 'denied') await grants.decide(digest, decisionOf({ action: 'deny' }))
        if (fate === 'approved' || fate === 'spent') await grants.decide(digest, decisionOf({ userId: digest }))
        if (fate === 'spent') await grants.collect(digest)
      }
      await pass(COLLECT_AGAIN_MS + 1)
      for (const [i, fate] of fates.entries()) if (fate === 'slow_down') await pollTwice(grants, digests[i] as string)

      const polls = await Promise.all(
        digests.map((digest, i) => grants.poll(digest, fates[i] === 'another client' ? tagOf('another') : CLIENT_TAG))
      )
      t.same(
        polls.map(({ kind }) => kind),
        fates.map((fate) => (fate === 'another client' ? 'unknown' : fate)),
        `round ${round}`
      )
      for (const [i, poll] of polls.entries()) {
        if (poll.kind === 'approved') t.equal(poll.decision.userId, digests[i], 'with its own record')
      }
    }
  })

  t.test(
    'one grant many times, among others: one poll and one repetition pass, as they would one by one',
    async (t) => {
      const { storage, other } = await start(t)
      for (const size of [2, 3, 8]) {
        const [digest = '', ...others] = await createAll(storage.grants, 20)
        const polls = [
          ...others.slice(0, 10).map((other) => storage.grants.poll(other, CLIENT_TAG)),
          ...times(size, (i) => (i % 3 === 2 ? other : storage).grants.poll(digest, CLIENT_TAG)),
          ...others.slice(10).map((other) => storage.grants.poll(other, CLIENT_TAG))
        ]
        const kinds = tally((await Promise.all(polls)).map(({ kind }) => kind))
        t.same(kinds, { pending: 19 + 2, ...(size > 2 && { slow_down: size - 2 }) }, `${size} polls of one grant`)
      }
    }
  )

  t.test('clients of other tags, and urgent polls', async (t) => {
    const { storage } = await start(t)
    const tags = times(12, (i) => tagOf(`client-${i}`))
    const digests = await Promise.all(tags.map((tag) => createOne(storage.grants, tag)))
    const all = (tagAt: (i: number) => string, isUrgent = false) =>
      Promise.all(digests.map(async (digest, i) => (await storage.grants.poll(digest, tagAt(i), isUrgent)).kind))
    t.same(tally(await all((i) => tags[(i + 1) % tags.length] as string)), { unknown: 12 }, 'the tag of a neighbour')
    t.same(tally(await all((i) => tags[i] as string, true)), { pending: 12 }, 'its own, and nothing was counted')
  })

  t.test('what is forgotten and what is new stand beside each other', async (t) => {
    const { storage, pass } = await start(t)
    const old = await createAll(storage.grants, 5)
    await pass(LIFE_MS + RETENTION_MS)
    const fresh = await createAll(storage.grants, 5)
    const polls = await Promise.all([...old, ...fresh].map((digest) => storage.grants.poll(digest, CLIENT_TAG)))
    t.same(tally(polls.map(({ kind }) => kind)), { unknown: 5, pending: 5 })
  })
}

type Grants = Awaited<ReturnType<StartEngine>>['storage']['grants']

async function createOne(grants: Grants, clientTag = CLIENT_TAG): Promise<string> {
  const digest = newDigest()
  await grants.create(digest, newTag(), { request: requestOf(), clientTag, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })
  return digest
}

function createAll(grants: Grants, count: number): Promise<string[]> {
  return Promise.all(times(count, () => createOne(grants)))
}

/** Polls, and repeats the poll, which may be done once: whoever polls once more is too early. */
async function pollTwice(grants: Grants, digest: string): Promise<StoredPoll> {
  await grants.poll(digest, CLIENT_TAG)
  return grants.poll(digest, CLIENT_TAG)
}
