/**
 * The contract of every engine's decision feed: `DecisionFeed` of src/core/grants/grant-store.ts, fed by the decisions of its grant
 * store.
 */
import { once, setMaxListeners } from 'node:events'
import type { Test } from 'tap'
import { tagOf } from '../../src/core/clients/client.js'
import type { Action } from '../../src/core/grants/grant.js'
import type { DecisionFeed, StoredPoll } from '../../src/core/grants/grant-store.js'
import type { Storage } from '../../src/core/storage.js'
import {
  CLIENT_TAG,
  decisionOf,
  INTERVAL_MS,
  LIFE_MS,
  newDigest,
  newTag,
  requestOf,
  type StartEngine
} from './engine.js'

/** The timeout only ends a test that would hang. It is no promise about how fast decisions are heard. */
const HEARD_WITHIN_MS = 60_000
/** With this many grants, every primary of a Cluster has some. Each primary announces in an order of its own. */
const SPREAD_OVER_ALL = 40

/** Records all decisions that a feed announces, in order. */
export function listenTo(feed: DecisionFeed, onDecided: (grantDigest: string) => void = () => {}) {
  const heard: string[] = []
  const news = new EventTarget()
  setMaxListeners(0, news)
  let resumptions = 0
  let revocations = 0
  feed.listen({
    decided(grantDigest) {
      heard.push(grantDigest)
      onDecided(grantDigest)
      news.dispatchEvent(new Event('heard'))
    },
    revoked() {
      revocations += 1
      news.dispatchEvent(new Event('heard'))
    },
    resumed() {
      resumptions += 1
      news.dispatchEvent(new Event('heard'))
    }
  })
  async function until(isSo: () => boolean): Promise<void> {
    const signal = AbortSignal.timeout(HEARD_WITHIN_MS)
    while (!isSo()) await once(news, 'heard', { signal })
  }
  return {
    heard,
    resumptions: () => resumptions,
    untilHeard: (grantDigest: string) => until(() => heard.includes(grantDigest)),
    untilRevoked: () => until(() => revocations > 0),
    untilResumed: (times = 1) => until(() => resumptions >= times)
  }
}

export async function pendingGrant({ grants }: Storage): Promise<string> {
  const digest = newDigest()
  const request = requestOf()
  await grants.create(digest, newTag(), { request, clientTag: CLIENT_TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })
  return digest
}

type Ending = Action | 'withdraw'

/** What a poll is told after each ending. */
const TOLD: Record<Ending, string> = { approve: 'approved', deny: 'denied', withdraw: 'expired' }

/** Ends a pending grant in one of the ways that the feed announces. */
async function end({ grants }: Storage, digest: string, ending: Ending): Promise<string> {
  if (ending === 'withdraw') return (await grants.withdraw(digest, CLIENT_TAG)).kind
  return (await grants.decide(digest, decisionOf({ action: ending }))).kind
}

const kindOf = ({ kind }: StoredPoll): string => kind

export function decisionFeedContract(t: Test, start: StartEngine): void {
  const both = async (t: Test) => {
    const engine = await start(t)
    const { storage, other } = engine
    const [here, there] = [listenTo(storage.decisions), listenTo(other.decisions)]
    /**
     * Makes further decisions and waits until both listeners have heard them, so that all earlier announcements have
     * arrived too.
     */
    const settle = async () => {
      const last = await Promise.all(Array.from({ length: SPREAD_OVER_ALL }, () => pendingGrant(storage)))
      await Promise.all(last.map((digest) => other.grants.decide(digest, decisionOf())))
      await Promise.all(last.flatMap((digest) => [here.untilHeard(digest), there.untilHeard(digest)]))
      return [here, there].map(({ heard }) => heard.filter((digest) => !last.includes(digest)).sort())
    }
    return { ...engine, here, there, settle }
  }

  t.test('is up when the engine is open, and tells nobody that it was down', async (t) => {
    const { storage, other, here, there, settle } = await both(t)
    t.ok(storage.decisions.isUp())
    t.ok(other.decisions.isUp())
    await settle()
    t.strictSame([here.resumptions(), there.resumptions()], [0, 0])
  })

  for (const action of ['approve', 'deny', 'withdraw'] as const) {
    t.test(`${action}: every instance hears of it exactly once, the one it was taken on as well`, async (t) => {
      const { storage, other, settle } = await both(t)
      const [one, two] = [await pendingGrant(storage), await pendingGrant(other)]
      t.match(await end(storage, one, action), /^(decided|withdrawn)$/)
      t.match(await end(other, two, action), /^(decided|withdrawn)$/)
      const [here, there] = await settle()
      t.strictSame(here, [one, two].sort())
      t.strictSame(there, [one, two].sort())
    })

    t.test(`${action}: whoever hears of it can read it at once, wherever`, async (t) => {
      const { storage, other } = await start(t)
      const mine = new Set<string>()
      // The rejection of a poll becomes its answer at once, so that no rejection is unhandled and a failed poll fails
      // the test.
      const polls: Promise<string>[] = []
      const ask = (digest: string) => {
        // Engines that tests share also announce the decisions of other tests. A poll for those would have nobody to
        // await it.
        if (!mine.has(digest)) return
        for (const { grants } of [storage, other]) polls.push(grants.poll(digest, CLIENT_TAG).then(kindOf, String))
      }
      const listeners = [listenTo(storage.decisions, ask), listenTo(other.decisions, ask)]
      for (let i = 0; i < 20; i++) {
        const digest = await pendingGrant(storage)
        mine.add(digest)
        await end(i % 2 === 0 ? storage : other, digest, action)
        await Promise.all(listeners.map(({ untilHeard }) => untilHeard(digest)))
      }
      const kinds = await Promise.all(polls)
      t.equal(kinds.length, 80)
      t.strictSame([...new Set(kinds)], [TOLD[action]])
    })
  }

  t.test('what decides nothing is not announced', async (t) => {
    const { storage, other, settle, pass } = await both(t)
    const [decided, withdrawn, pending, expired] = [
      await pendingGrant(storage),
      await pendingGrant(storage),
      await pendingGrant(storage),
      await pendingGrant(storage)
    ]
    await storage.grants.decide(decided, decisionOf())
    t.equal((await other.grants.decide(decided, decisionOf())).kind, 'repeated')
    t.equal((await other.grants.decide(decided, decisionOf({ action: 'deny' }))).kind, 'resolved')
    t.equal((await other.grants.decide(decided, decisionOf({ userId: 'bob' }))).kind, 'resolved')
    t.equal((await other.grants.decide(newDigest(), decisionOf())).kind, 'unknown')
    t.equal((await storage.grants.withdraw(decided, CLIENT_TAG)).kind, 'approved')
    await storage.grants.withdraw(withdrawn, CLIENT_TAG)
    t.equal((await other.grants.withdraw(withdrawn, CLIENT_TAG)).kind, 'withdrawn')
    t.equal((await other.grants.decide(withdrawn, decisionOf())).kind, 'withdrawn')
    t.equal((await other.grants.withdraw(pending, tagOf('mcp'))).kind, 'unknown')
    await storage.grants.poll(pending, CLIENT_TAG)
    await storage.grants.stateOf(pending)
    await storage.grants.collect(decided)
    await pass(LIFE_MS)
    t.equal((await storage.grants.decide(expired, decisionOf())).kind, 'resolved')
    t.equal((await storage.grants.withdraw(expired, CLIENT_TAG)).kind, 'resolved')
    const announced = [decided, withdrawn].sort()
    t.strictSame(await settle(), [announced, announced])
  })

  t.test('of decisions at once one is announced', async (t) => {
    const { storage, other, settle } = await both(t)
    const digest = await pendingGrant(storage)
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 === 0 ? storage : other).grants.decide(digest, decisionOf({ userId: `user ${i % 3}` }))
      )
    )
    t.strictSame(await settle(), [[digest], [digest]])
  })

  t.test('everybody who listens is told', async (t) => {
    const { storage } = await start(t)
    const listeners = Array.from({ length: 3 }, () => listenTo(storage.decisions))
    const digest = await pendingGrant(storage)
    await storage.grants.decide(digest, decisionOf())
    await Promise.all(listeners.map(({ untilHeard }) => untilHeard(digest)))
    for (const { heard } of listeners) t.strictSame(heard, [digest])
  })
}
