/**
 * The contract of every engine's grant store: src/core/grants/grant-store.ts, by the rules of src/core/grants/state-machine.ts.
 */
import type { Test } from 'tap'
import { BUILT_IN_TAG, CLIENT_TYPES, tagOf } from '../../src/core/clients/client.js'
import type { Decision, GrantRequest } from '../../src/core/grants/grant.js'
import type { GrantStanding, NewGrant } from '../../src/core/grants/grant-store.js'
import {
  CLIENT_TAG,
  decisionOf,
  type Engine,
  INTERVAL_MS,
  LIFE_MS,
  newDigest,
  newTag,
  requestOf,
  type StartEngine,
  tally,
  times
} from './engine.js'

const RETENTION_MS = 300_000
/** The first poll after this much time is no repetition of the one before. */
const NO_REPETITION_MS = 301

async function created(engine: Engine, parts: Partial<NewGrant> = {}) {
  const digest = newDigest()
  const tag = newTag()
  const createdAtMs = engine.clock()
  const outcome = await engine.storage.grants.create(digest, tag, {
    request: requestOf(),
    clientTag: CLIENT_TAG,
    lifeMs: LIFE_MS,
    intervalMs: INTERVAL_MS,
    ...parts
  })
  if (outcome !== 'created') throw new Error(`the grant was not created: ${outcome}`)
  const { grants } = engine.storage
  return {
    digest,
    tag,
    createdAtMs,
    poll: () => grants.poll(digest, CLIENT_TAG),
    pollKind: async () => (await grants.poll(digest, CLIENT_TAG)).kind,
    decide: (decision: Partial<Decision> = {}) => grants.decide(digest, decisionOf(decision)),
    collect: () => grants.collect(digest),
    withdraw: () => grants.withdraw(digest, CLIENT_TAG),
    find: () => grants.find(tag)
  }
}

export function grantStoreContract(t: Test, start: StartEngine): void {
  t.test('pacing', (t) => pacing(t, start))
  t.test('decisions and the end of a grant', (t) => decisions(t, start))
  t.test('withdrawals', (t) => withdrawals(t, start))
  t.test('collection', (t) => collection(t, start))
  t.test('whose grant it is', (t) => clients(t, start))
  t.test('whether it waits', (t) => standing(t, start))
  t.test('user codes', (t) => userCodes(t, start))
  t.test('what is kept', (t) => contents(t, start))
  t.test('races', (t) => races(t, start))
}

async function pacing(t: Test, start: StartEngine): Promise<void> {
  t.test('the first poll is free, however early it comes', async (t) => {
    const grant = await created(await start(t))
    t.same(await grant.poll(), { kind: 'pending' })
  })

  t.test('an early poll is told to slow down by five seconds more, and told so each time', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.poll()
    engine.clock.advance(NO_REPETITION_MS)
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 10_000 })
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 15_000 })
    engine.clock.advance(15_000)
    t.same(await grant.poll(), { kind: 'pending' }, 'whoever heeds it is served')
    engine.clock.advance(13_499)
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 20_000 }, 'the longer interval stays')
  })

  t.test('the first repetition within 300 ms of an accepted poll gets the same answer and moves nothing', async (t) => {
    const engine = await start(t)
    for (const [afterMs, kind] of [
      [0, 'pending'],
      [3, 'pending'],
      [300, 'pending'],
      [301, 'slow_down']
    ] as const) {
      const grant = await created(engine)
      await grant.poll()
      engine.clock.advance(afterMs)
      t.equal(await grant.pollKind(), kind, `after ${afterMs} ms`)
      if (kind === 'slow_down') continue
      engine.clock.advance(4_500 - afterMs)
      t.equal(await grant.pollKind(), 'pending', 'the next one is in time by the first')
      engine.clock.advance(300)
      t.equal(await grant.pollKind(), 'pending', 'and may be repeated as well')
    }
  })

  t.test('a second repetition is too early, and so is one of a poll that was refused', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.poll()
    t.equal(await grant.pollKind(), 'pending')
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 10_000 })
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 15_000 })
    engine.clock.advance(15_000)
    t.equal(await grant.pollKind(), 'pending')
    engine.clock.advance(4_000)
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 20_000 })
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 25_000 })
  })

  t.test('a client that sends each poll twice keeps its interval, whichever instances it reaches', async (t) => {
    const { storage, other, clock } = await start(t)
    const [digest, grant] = [newDigest(), { request: requestOf(), clientTag: CLIENT_TAG }]
    await storage.grants.create(digest, newTag(), { ...grant, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })
    const kinds = []
    for (let i = 0; i < 20; i++) {
      kinds.push((await storage.grants.poll(digest, CLIENT_TAG)).kind)
      clock.advance(3)
      kinds.push((await (i % 2 === 0 ? other : storage).grants.poll(digest, CLIENT_TAG)).kind)
      clock.advance(INTERVAL_MS - 3)
    }
    t.same(tally(kinds), { pending: 40 })
  })

  t.test('a decision between a poll and its repetition is heard by the repetition', async (t) => {
    const grant = await created(await start(t))
    t.equal(await grant.pollKind(), 'pending')
    await grant.decide()
    t.equal(await grant.pollKind(), 'approved')
    t.equal(await grant.collect(), 'collected')
    t.equal(await grant.pollKind(), 'approved')
  })

  t.test('the interval never grows beyond a minute', async (t) => {
    const grant = await created(await start(t))
    await grant.poll()
    await grant.poll()
    const told = []
    for (let i = 0; i < 14; i++) told.push(await grant.poll())
    t.same(
      told.map((poll) => poll.kind === 'slow_down' && poll.intervalMs / 1000),
      [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60, 60]
    )
  })

  t.test('an interval above the cap minus a step is capped at once', async (t) => {
    const grant = await created(await start(t), { intervalMs: 58_000 })
    await grant.poll()
    await grant.poll()
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 60_000 })
  })

  for (const [intervalMs, graceMs] of [
    [1_000, 500],
    [4_000, 500],
    [5_000, 500],
    [5_010, 501],
    [7_000, 700],
    [30_000, 3_000],
    [60_000, 6_000]
  ] as const) {
    t.test(`of an interval of ${intervalMs} ms the last ${graceMs} ms are grace, to the millisecond`, async (t) => {
      const engine = await start(t)
      const [inside, outside] = [await created(engine, { intervalMs }), await created(engine, { intervalMs })]
      await Promise.all([inside.poll(), outside.poll()])
      engine.clock.advance(intervalMs - graceMs - 1)
      t.equal(await outside.pollKind(), 'slow_down', 'one millisecond too early')
      engine.clock.advance(1)
      t.equal(await inside.pollKind(), 'pending', 'at the edge')
    })
  }

  t.test('a refused poll moves the pace as an accepted one does', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.poll()
    engine.clock.advance(4_000)
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 10_000 })
    engine.clock.advance(8_999)
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 15_000 }, '10 s from the refused poll, less the grace')
    engine.clock.advance(13_500)
    t.equal(await grant.pollKind(), 'pending')
  })

  for (const intervalMs of [1_000, 2_000, 5_000, 10_000, 33_333, 60_000]) {
    t.test(`a client at ${intervalMs} ms by a clock a tenth fast is never told to slow down`, async (t) => {
      const engine = await start(t)
      const grant = await created(engine, { intervalMs, lifeMs: 100 * intervalMs })
      const kinds = []
      for (let i = 0; i < 80; i++) {
        kinds.push(await grant.pollKind())
        engine.clock.advance(Math.ceil(intervalMs * 0.9))
      }
      t.same(tally(kinds), { pending: 80 })
    })

    t.test(`a client at ${intervalMs} ms whose polls jitter within the grace is never told to slow down`, async (t) => {
      const engine = await start(t)
      const graceMs = Math.max(500, intervalMs / 10)
      const grant = await created(engine, { intervalMs, lifeMs: 100 * intervalMs })
      const kinds = []
      // Polls alternate between no delay and the whole grace, which gives the shortest gaps, and then vary in between.
      const lateness = (i: number) =>
        Math.floor(i < 20 ? (i % 2 === 0 ? graceMs : 0) : ((i * 7_919) % 101) * (graceMs / 100))
      engine.clock.advance(lateness(0))
      for (let i = 0; i < 80; i++) {
        kinds.push(await grant.pollKind())
        engine.clock.advance(intervalMs + lateness(i + 1) - lateness(i))
      }
      t.same(tally(kinds), { pending: 80 })
    })
  }

  t.test('interval and life are the own of each grant', async (t) => {
    const engine = await start(t)
    const slow = await created(engine, { intervalMs: 30_000, lifeMs: 60_000 })
    const fast = await created(engine, { intervalMs: 1_000, lifeMs: 10_000 })
    await Promise.all([slow.poll(), fast.poll()])
    engine.clock.advance(1_000)
    t.equal(await fast.pollKind(), 'pending')
    t.same(await slow.poll(), { kind: 'slow_down', intervalMs: 35_000 })
    t.equal(await fast.pollKind(), 'pending')
    t.same(await fast.poll(), { kind: 'slow_down', intervalMs: 6_000 })
    engine.clock.advance(9_000)
    t.equal(await fast.pollKind(), 'expired')
    t.equal(await slow.pollKind(), 'slow_down')
  })

  t.test('every instance keeps the same pace', async (t) => {
    const { storage, other, clock } = await start(t)
    const digest = newDigest()
    await storage.grants.create(digest, newTag(), {
      request: requestOf(),
      clientTag: CLIENT_TAG,
      lifeMs: LIFE_MS,
      intervalMs: INTERVAL_MS
    })
    t.equal((await other.grants.poll(digest, CLIENT_TAG)).kind, 'pending')
    clock.advance(NO_REPETITION_MS)
    t.same(await storage.grants.poll(digest, CLIENT_TAG), { kind: 'slow_down', intervalMs: 10_000 })
    t.same(await other.grants.poll(digest, CLIENT_TAG), { kind: 'slow_down', intervalMs: 15_000 })
    clock.advance(15_000)
    t.equal((await storage.grants.poll(digest, CLIENT_TAG)).kind, 'pending')
  })

  t.test('asking about one grant says nothing about another', async (t) => {
    const engine = await start(t)
    const [one, two] = [await created(engine), await created(engine)]
    await one.poll()
    await one.poll()
    t.equal(await two.pollKind(), 'pending')
  })
}

async function decisions(t: Test, start: StartEngine): Promise<void> {
  t.test('a decision is heard at once, however early the poll comes', async (t) => {
    const engine = await start(t)
    const [approved, denied] = [await created(engine), await created(engine)]
    for (const grant of [approved, denied]) {
      await grant.poll()
      await grant.poll()
    }
    await approved.decide()
    await denied.decide({ action: 'deny' })
    t.equal(await approved.pollKind(), 'approved')
    t.equal(await approved.pollKind(), 'approved', 'looking at it does not collect it')
    t.equal(await denied.pollKind(), 'denied')
    t.equal(await denied.pollKind(), 'denied')
  })

  t.test('an approval tells who decided what, and what was asked for', async (t) => {
    const engine = await start(t)
    const request = requestOf({ location: { text: 'Zürich, ZH, Switzerland', country: 'CH' } })
    const grant = await created(engine, { request })
    const decision = decisionOf()
    await engine.storage.grants.decide(grant.digest, decision)
    t.same(await grant.poll(), { kind: 'approved', request, decision, createdAtMs: grant.createdAtMs })
  })

  t.test(
    'a decision of an older version’s instance, which says nothing of revocations, comes back as it was',
    async (t) => {
      const engine = await start(t)
      const grant = await created(engine)
      const { revokedAllId: _none, ...decision } = decisionOf()
      await engine.storage.grants.decide(grant.digest, decision)
      const approval = { kind: 'approved', request: requestOf(), decision, createdAtMs: grant.createdAtMs }
      t.strictSame(await grant.poll(), approval)
    }
  )

  t.test('a decision that grants some of the scopes, or none of them, comes back as it was', async (t) => {
    const engine = await start(t)
    for (const scopes of [['films.read', 'openid'], []]) {
      const request = requestOf({ scopes: ['openid', 'films.read', 'films.write'] })
      const grant = await created(engine, { request })
      const decision = decisionOf({ scopes })
      await engine.storage.grants.decide(grant.digest, decision)
      t.strictSame(await grant.poll(), { kind: 'approved', request, decision, createdAtMs: grant.createdAtMs })
    }
  })

  t.test('the time from start to decision is told', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    engine.clock.advance(12_345)
    t.same(await grant.decide(), { kind: 'decided', afterMs: 12_345 })
  })

  t.test('a pending grant expires exactly at the end of its life', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await engine.pass(LIFE_MS - 1)
    t.equal(await grant.pollKind(), 'pending')
    t.equal((await grant.find())?.state, 'pending')
    await engine.pass(1)
    t.equal(await grant.pollKind(), 'expired')
    t.equal((await grant.find())?.state, 'resolved')
  })

  t.test('a decision in the last millisecond stands, one at the expiry is too late', async (t) => {
    const engine = await start(t)
    const [inTime, late] = [await created(engine), await created(engine)]
    await engine.pass(LIFE_MS - 1)
    t.equal((await inTime.decide()).kind, 'decided')
    await engine.pass(1)
    t.equal((await late.decide()).kind, 'resolved')
    t.equal(await inTime.pollKind(), 'approved', 'a decision beats the expiry')
    t.equal(await late.pollKind(), 'expired', 'a late decision changes nothing')
  })

  t.test('what became of a grant can be heard for five minutes, and no longer', async (t) => {
    const engine = await start(t)
    const [expired, denied, approved] = [await created(engine), await created(engine), await created(engine)]
    await denied.decide({ action: 'deny' })
    await approved.decide()
    await engine.pass(LIFE_MS + RETENTION_MS - 1)
    const kinds = () => Promise.all([expired.pollKind(), denied.pollKind(), approved.pollKind()])
    t.same(await kinds(), ['expired', 'denied', 'approved'])
    t.same((await expired.decide()).kind, 'resolved')
    await engine.pass(1)
    t.same(await kinds(), ['unknown', 'unknown', 'unknown'])
    t.same(await approved.collect(), 'unknown')
    for (const grant of [expired, denied, approved]) {
      t.same((await grant.decide()).kind, 'unknown')
      t.equal(await grant.find(), undefined)
    }
    await engine.pass(RETENTION_MS)
    t.same(await kinds(), ['unknown', 'unknown', 'unknown'])
  })

  for (const action of ['approve', 'deny'] as const) {
    t.test(`the same user may ${action} again, nothing else is decided twice`, async (t) => {
      const engine = await start(t)
      const grant = await created(engine)
      const first = decisionOf({ action })
      const opposite = action === 'approve' ? 'deny' : 'approve'
      t.same((await engine.storage.grants.decide(grant.digest, first)).kind, 'decided')
      const repeated = { kind: 'repeated', authorizationId: first.authorizationId }
      t.same(await grant.decide({ action }), repeated)
      t.same(await grant.decide({ action, userId: 'bob' }), { kind: 'resolved' })
      t.same(await grant.decide({ action: opposite }), { kind: 'resolved' })
      t.same(await grant.decide({ action: opposite, userId: 'bob' }), { kind: 'resolved' })
      const poll = await grant.poll()
      if (poll.kind === 'approved') t.same(poll.decision, first, 'the first decision stands with all it says')
      else t.same(poll, { kind: 'denied' })
      await engine.pass(LIFE_MS)
      t.same(await grant.decide({ action }), repeated, 'also after the expiry, while the record lives')
    })
  }

  t.test('an approval can be repeated after it was collected', async (t) => {
    const grant = await created(await start(t))
    const authorizationId = '2f0c7f58-8a1c-4f33-9d6f-0d5a3c8e1b42'
    await grant.decide({ authorizationId })
    await grant.collect()
    t.same(await grant.decide(), { kind: 'repeated', authorizationId })
    t.same(await grant.decide({ action: 'deny' }), { kind: 'resolved' })
    t.same(await grant.decide({ userId: 'bob' }), { kind: 'resolved' })
  })

  t.test('who decided is compared to the letter, whatever the letters are', async (t) => {
    const engine = await start(t)
    for (const userId of [
      '"}',
      'a\nb',
      'ü{}:*',
      '\u0000',
      '🔑',
      '日本',
      '__proto__',
      '%7B',
      'a\\u0062',
      '\u2028',
      '1e3'
    ]) {
      const grant = await created(engine)
      const decision = decisionOf({ userId })
      await engine.storage.grants.decide(grant.digest, decision)
      const { authorizationId } = decision
      t.same(await grant.decide({ userId }), { kind: 'repeated', authorizationId }, encodeURIComponent(userId))
      t.same(await grant.decide({ userId: `${userId} ` }), { kind: 'resolved' })
      t.same(await grant.poll(), { kind: 'approved', request: requestOf(), decision, createdAtMs: grant.createdAtMs })
    }
  })

  t.test('a grant nobody made is unknown', async (t) => {
    const { storage } = await start(t)
    const digest = newDigest()
    t.same(await storage.grants.poll(digest, CLIENT_TAG), { kind: 'unknown' })
    t.same(await storage.grants.decide(digest, decisionOf()), { kind: 'unknown' })
    t.same(await storage.grants.collect(digest), 'unknown')
    t.same(await storage.grants.find(newTag()), undefined)
    t.same(await storage.grants.poll(digest, CLIENT_TAG), { kind: 'unknown' }, 'and asking does not make it')
  })
}

async function withdrawals(t: Test, start: StartEngine): Promise<void> {
  t.test('what is withdrawn is never decided, and to its client it has expired', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.poll()
    t.same(await grant.withdraw(), { kind: 'withdrawn', request: requestOf() })
    t.equal(await grant.pollKind(), 'expired', 'at any pace')
    for (const action of ['approve', 'deny'] as const) t.same(await grant.decide({ action }), { kind: 'withdrawn' })
    t.equal(await grant.collect(), 'unknown')
    t.match(await grant.find(), { state: 'withdrawn', decision: undefined, request: requestOf() })
    const again = await engine.other.grants.withdraw(grant.digest, CLIENT_TAG)
    t.same(again, { kind: 'withdrawn', request: requestOf() }, 'again, elsewhere')
  })

  t.test('it stays so beyond its expiry, until it is forgotten', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await engine.pass(LIFE_MS - 1)
    await grant.withdraw()
    await engine.pass(RETENTION_MS)
    t.same(
      [await grant.withdraw(), await grant.decide(), (await grant.find())?.state],
      [{ kind: 'withdrawn', request: requestOf() }, { kind: 'withdrawn' }, 'withdrawn']
    )
    await engine.pass(1)
    t.same([await grant.withdraw(), await grant.decide()], [{ kind: 'unknown' }, { kind: 'unknown' }])
    t.equal(await grant.find(), undefined)
  })

  t.test('of an approved grant it is told what was approved, collected or not, while the record lives', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const decision = decisionOf()
    await engine.storage.grants.decide(grant.digest, decision)
    const approval = { kind: 'approved', request: requestOf(), decision, createdAtMs: grant.createdAtMs }
    t.same(await grant.withdraw(), approval)
    t.equal(await grant.pollKind(), 'approved', 'and it stays as it is')
    await grant.collect()
    t.same(await grant.withdraw(), approval)
    await engine.pass(30_001)
    t.same(await grant.withdraw(), approval, 'spent')
    await engine.pass(LIFE_MS + RETENTION_MS - 30_002)
    t.same(await grant.withdraw(), approval, 'in the last moment of the record')
    await engine.pass(1)
    t.same(await grant.withdraw(), { kind: 'unknown' })
  })

  t.test(
    'what is collected in the last moment can be withdrawn for as long as it can be collected again',
    async (t) => {
      const engine = await start(t)
      const grant = await created(engine)
      await grant.decide()
      await engine.pass(LIFE_MS + RETENTION_MS - 1)
      await grant.collect()
      await engine.pass(30_000)
      t.equal((await grant.withdraw()).kind, 'approved')
      await engine.pass(1)
      t.equal((await grant.withdraw()).kind, 'unknown')
    }
  )

  t.test('there is nothing to withdraw of what was denied, has expired or never was', async (t) => {
    const engine = await start(t)
    const [denied, expired] = [await created(engine), await created(engine)]
    await denied.decide({ action: 'deny' })
    t.same(await denied.withdraw(), { kind: 'resolved' })
    t.equal(await denied.pollKind(), 'denied')
    await engine.pass(LIFE_MS)
    t.same(await expired.withdraw(), { kind: 'resolved' })
    t.equal(await expired.pollKind(), 'expired')
    t.same(await engine.storage.grants.withdraw(newDigest(), CLIENT_TAG), { kind: 'unknown' })
  })
}

async function collection(t: Test, start: StartEngine): Promise<void> {
  t.test('only an approved grant can be collected', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    t.equal(await grant.collect(), 'unknown')
    t.equal(await grant.pollKind(), 'pending', 'the attempt changes nothing')
    await grant.decide({ action: 'deny' })
    t.equal(await grant.collect(), 'unknown')
    t.equal(await grant.pollKind(), 'denied')
  })

  t.test('a grant can be collected again for 30 seconds from the first time, then it is spent', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const decision = decisionOf()
    await engine.storage.grants.decide(grant.digest, decision)
    await engine.pass(60_000)
    t.equal(await grant.collect(), 'collected')
    await engine.pass(20_000)
    t.equal(await grant.collect(), 'collected')
    await engine.pass(10_000)
    t.equal(await grant.collect(), 'collected', 'at 30 s')
    t.same(
      await grant.poll(),
      { kind: 'approved', request: requestOf(), decision, createdAtMs: grant.createdAtMs },
      'and it is the same approval'
    )
    await engine.pass(1)
    t.equal(await grant.collect(), 'spent', 'later collections do not prolong it')
    t.equal(await grant.pollKind(), 'spent')
    t.equal((await grant.find())?.state, 'resolved')
    await engine.pass(LIFE_MS - 90_001)
    t.equal(await grant.pollKind(), 'spent', 'it stays so while the record lives')
  })

  t.test('an approved grant may be collected after its expiry', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await engine.pass(LIFE_MS - 1)
    await grant.decide()
    await engine.pass(100_000)
    t.equal(await grant.collect(), 'collected')
  })

  t.test('what is collected in the last moment can still be collected again for 30 seconds', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.decide()
    await engine.pass(LIFE_MS + RETENTION_MS - 1)
    t.equal(await grant.collect(), 'collected')
    await engine.pass(30_000)
    // Creating another grant gives an engine that sweeps on creation a chance to sweep.
    await created(engine)
    t.equal(await grant.pollKind(), 'approved')
    t.equal(await grant.collect(), 'collected')
    await engine.pass(1)
    t.equal(await grant.collect(), 'spent')
    t.equal(await grant.pollKind(), 'spent')
  })
}

/** Brings a grant into each of its states. The name is what a poll of its client is told then. */
const STATES: Record<string, (engine: Engine, grant: Awaited<ReturnType<typeof created>>) => Promise<unknown>> = {
  pending: async () => {},
  slow_down: async (engine, grant) => {
    await grant.poll()
    engine.clock.advance(NO_REPETITION_MS)
  },
  approved: (_engine, grant) => grant.decide(),
  denied: (_engine, grant) => grant.decide({ action: 'deny' }),
  'approved, again within 30 s of its collection': async (_engine, grant) => {
    await grant.decide()
    await grant.collect()
  },
  'expired, because it was withdrawn': (_engine, grant) => grant.withdraw(),
  spent: async (engine, grant) => {
    await grant.decide()
    await grant.collect()
    await engine.pass(30_001)
  },
  expired: (engine) => engine.pass(LIFE_MS),
  unknown: (engine) => engine.pass(LIFE_MS + RETENTION_MS)
}

const ACME = tagOf('acme')

async function clients(t: Test, start: StartEngine): Promise<void> {
  const strangers: Record<string, string> = {
    'another client': tagOf('another'),
    'another built-in client': tagOf('mcp'),
    'the letters of its tag in another case': CLIENT_TAG.toUpperCase(),
    'more than its tag': `${CLIENT_TAG}x`,
    'a tag with a pattern in it': `${CLIENT_TAG.slice(0, 5)}.`,
    'a newline': '\n'
  }

  for (const [state, bring] of Object.entries(STATES)) {
    t.test(`of another client a grant is unknown and stays as it is: ${state}`, async (t) => {
      const engine = await start(t)
      const grant = await created(engine)
      await bring(engine, grant)
      for (const [who, tag] of Object.entries(strangers)) {
        t.same(await engine.storage.grants.poll(grant.digest, tag), { kind: 'unknown' }, who)
        t.same(await engine.other.grants.poll(grant.digest, tag), { kind: 'unknown' }, `${who}, elsewhere`)
        t.same(await engine.storage.grants.withdraw(grant.digest, tag), { kind: 'unknown' }, `${who}, to withdraw it`)
      }
      t.equal(await grant.pollKind(), state.split(',')[0])
    })
  }

  t.test('what another client asks moves no pace and no interval', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const stranger = async () => {
      for (let i = 0; i < 20; i++) {
        t.same(await engine.storage.grants.poll(grant.digest, tagOf('another')), { kind: 'unknown' })
      }
    }
    await stranger()
    t.same(await grant.poll(), { kind: 'pending' }, 'the first poll is still free')
    engine.clock.advance(4_000)
    await stranger()
    engine.clock.advance(500)
    t.same(await grant.poll(), { kind: 'pending' }, 'the pace counts from the client’s own poll')
    await stranger()
    t.same(await grant.poll(), { kind: 'pending' }, 'and only the client’s own poll repeats it')
    t.same(await grant.poll(), { kind: 'slow_down', intervalMs: 10_000 })
  })

  t.test('a client of the operator’s reaches its own grants, and nobody else does', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const request = requestOf({ clientId: 'acme', clientType: 'other' })
    const grant = await created(engine, { clientTag: ACME, request })
    for (const tag of [BUILT_IN_TAG, CLIENT_TAG, tagOf('Acme'), tagOf('other')]) {
      t.same(await grants.poll(grant.digest, tag), { kind: 'unknown' }, tag)
    }
    t.same(await grants.poll(grant.digest, ACME), { kind: 'pending' })
    const decision = decisionOf()
    await grants.decide(grant.digest, decision)
    t.same(await grants.poll(grant.digest, BUILT_IN_TAG), { kind: 'unknown' })
    t.same(await grants.poll(grant.digest, ACME), {
      kind: 'approved',
      request,
      decision,
      createdAtMs: grant.createdAtMs
    })
  })

  t.test('what the built-in clients’ tags begin with reaches the grants of all of them', async (t) => {
    const engine = await start(t)
    for (const clientType of CLIENT_TYPES) {
      const request = requestOf({ clientId: clientType, clientType })
      const grant = await created(engine, { clientTag: tagOf(clientType), request })
      const asAny = () => engine.storage.grants.poll(grant.digest, BUILT_IN_TAG)
      t.same(await asAny(), { kind: 'pending' }, clientType)
      t.same(await asAny(), { kind: 'pending' }, 'a repetition')
      t.same(await asAny(), { kind: 'slow_down', intervalMs: 10_000 }, 'at the pace of the grant')
      const decision = decisionOf()
      await engine.storage.grants.decide(grant.digest, decision)
      t.same(await asAny(), { kind: 'approved', request, decision, createdAtMs: grant.createdAtMs })
      await grant.collect()
      await engine.pass(30_001)
      t.same(await asAny(), { kind: 'spent' })
      t.equal((await engine.storage.grants.withdraw(grant.digest, BUILT_IN_TAG)).kind, 'approved')
    }
  })
}

async function standing(t: Test, start: StartEngine): Promise<void> {
  const expected: Record<string, GrantStanding> = {
    pending: 'pending',
    slow_down: 'pending',
    'expired, because it was withdrawn': 'withdrawn',
    unknown: 'unknown'
  }
  for (const [state, bring] of Object.entries(STATES)) {
    t.test(`of a grant that is ${state} it is told whether it waits`, async (t) => {
      const engine = await start(t)
      const grant = await created(engine)
      await bring(engine, grant)
      for (const { grants } of [engine.storage, engine.other, engine.storage]) {
        t.equal(await grants.stateOf(grant.digest), expected[state] ?? 'resolved')
      }
      t.equal(await grant.pollKind(), state.split(',')[0], 'and nothing of it is changed')
    })
  }

  t.test('it turns exactly with the end of the life, and with the end of the record', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const state = () => engine.storage.grants.stateOf(grant.digest)
    await engine.pass(LIFE_MS - 1)
    t.equal(await state(), 'pending')
    await engine.pass(1)
    t.equal(await state(), 'resolved')
    await engine.pass(RETENTION_MS - 1)
    t.equal(await state(), 'resolved')
    await engine.pass(1)
    t.equal(await state(), 'unknown')
  })

  t.test('to ask is no poll: it moves no pace, and collects nothing', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const { grants } = engine.storage
    await grants.stateOf(grant.digest)
    t.same(await grant.poll(), { kind: 'pending' })
    for (let i = 0; i < 10; i++) await grants.stateOf(grant.digest)
    engine.clock.advance(INTERVAL_MS)
    t.same(await grant.poll(), { kind: 'pending' })
    await grant.decide()
    await grants.stateOf(grant.digest)
    await engine.pass(60_000)
    t.equal(await grant.collect(), 'collected')
  })

  t.test('a grant nobody made is unknown', async (t) => {
    const { storage } = await start(t)
    const digest = newDigest()
    t.equal(await storage.grants.stateOf(digest), 'unknown')
    t.same(await storage.grants.poll(digest, CLIENT_TAG), { kind: 'unknown' })
  })
}

async function userCodes(t: Test, start: StartEngine): Promise<void> {
  const grant: NewGrant = { request: requestOf(), clientTag: CLIENT_TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS }

  t.test('a user code leads to its grant', async (t) => {
    const engine = await start(t)
    const request = requestOf({ clientId: 'mcp', clientType: 'mcp', location: { text: 'Berlin' } })
    const [one, two] = [await created(engine, { request }), await created(engine)]
    const createdAtMs = engine.clock()
    const undecided = { state: 'pending', createdAtMs, expiresAtMs: createdAtMs + LIFE_MS, decision: undefined }
    t.same(await one.find(), { grantDigest: one.digest, request, ...undecided })
    t.same(await two.find(), { grantDigest: two.digest, request: requestOf(), ...undecided })
    await one.decide()
    const decided = await one.find()
    t.match(decided, { grantDigest: one.digest, request, state: 'resolved', createdAtMs: engine.clock() })
    t.match(decided?.decision, { action: 'approve', userId: 'alice' })
    await one.collect()
    t.equal((await one.find())?.state, 'resolved')
    t.equal((await two.find())?.state, 'pending')
  })

  t.test('a user code belongs to one living grant, and is free again when that one is forgotten', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const [first, second, third] = times(3, newDigest) as [string, string, string]
    const tag = newTag()
    t.equal(await grants.create(first, tag, grant), 'created')
    t.equal(await grants.create(second, tag, grant), 'user_code_taken')
    t.same(await grants.poll(second, CLIENT_TAG), { kind: 'unknown' }, 'what was refused is not kept')
    await engine.pass(LIFE_MS + RETENTION_MS - 1_000)
    t.equal(await grants.create(second, tag, grant), 'user_code_taken')
    t.equal((await grants.find(tag))?.grantDigest, first)
    // The engine may collect garbage up to a minute later than the rules forget a grant.
    await engine.pass(61_000)
    t.equal(await grants.create(third, tag, grant), 'created')
    t.equal((await grants.find(tag))?.grantDigest, third)
    t.same(await grants.poll(first, CLIENT_TAG), { kind: 'unknown' })
    t.same(await grants.poll(third, CLIENT_TAG), { kind: 'pending' })
  })

  t.test('a grant that found its code taken can be kept under another', async (t) => {
    const { storage } = await start(t)
    const [holder, digest, taken, free] = [newDigest(), newDigest(), newTag(), newTag()]
    await storage.grants.create(holder, taken, grant)
    t.equal(await storage.grants.create(digest, taken, grant), 'user_code_taken')
    t.equal(await storage.grants.create(digest, free, grant), 'created')
    t.equal((await storage.grants.find(free))?.grantDigest, digest)
    t.equal((await storage.grants.find(taken))?.grantDigest, holder)
  })

  t.test('keeping the same grant a second time says the same and changes nothing', async (t) => {
    const { storage } = await start(t)
    const [digest, tag] = [newDigest(), newTag()]
    await storage.grants.create(digest, tag, grant)
    for (let i = 0; i < 2; i++) await storage.grants.poll(digest, CLIENT_TAG)
    t.equal(await storage.grants.create(digest, tag, grant), 'created')
    t.same(
      await storage.grants.poll(digest, CLIENT_TAG),
      { kind: 'slow_down', intervalMs: 10_000 },
      'its pace is remembered'
    )
  })
}

async function contents(t: Test, start: StartEngine): Promise<void> {
  const longest = (text: string) => text.repeat(Math.ceil(255 / text.length)).slice(0, 255)
  const requests: Record<string, GrantRequest> = {
    'nothing but what is required': {
      clientId: 'other',
      clientType: 'other',
      scopes: [],
      metadata: {},
      ip: '::1'
    },
    'letters of every script': requestOf({
      metadata: { name: 'Ünïcödé 日本語 🔑 ﷽', os: 'עברית', hostname: 'мой-хост' }
    }),
    'newlines and control characters': requestOf({ metadata: { name: 'a\nb\r\n\n\u0000\u001b[31m', version: '\n' } }),
    'quotes, braces and backslashes': requestOf({ metadata: { name: '"}\\n{"\\"', hostname: "');--", os: '%s%d' } }),
    'line separators of JavaScript': requestOf({ metadata: { name: 'a\u2028b\u2029c' } }),
    'texts of 255 characters': requestOf({
      metadata: { name: longest('ü'), hostname: longest('\u0001'), os: longest('日') }
    }),
    'names that mean something to JavaScript': requestOf({ metadata: { name: '__proto__', os: 'constructor' } }),
    'empty texts': requestOf({ metadata: { name: '', version: '' } }),
    'a place without a country': requestOf({ location: { text: 'somewhere' } }),
    'a place with a country': requestOf({ location: { text: 'São Paulo, SP, Brazil', country: 'BR' } }),
    'a scope': requestOf({ scopes: ['openid'] }),
    'scopes in their order': requestOf({ scopes: ['z', 'offline_access', 'a', '!#[]~', 'openid'] }),
    'fifty scopes': requestOf({ scopes: times(50, (i) => `scope:${i}`) }),
    'a client of the operator’s': requestOf({ clientId: 'acme', clientType: 'other', metadata: {} }),
    'a client that has no type of its own for an id': requestOf({ clientId: 'acme', clientType: 'cli' }),
    'a client with scopes': requestOf({ clientId: 'a.c~m_e-', clientType: 'ide-plugin', scopes: ['openid', 'x'] }),
    'a client in a place': requestOf({ clientId: 'acme', location: { text: 'somewhere' } }),
    'a client with scopes in a country': requestOf({
      ...{ clientId: 'acme', clientType: 'mcp', scopes: ['openid'] },
      location: { text: 'Oslo, NO', country: 'NO' }
    }),
    'scopes in a place': requestOf({ scopes: ['openid'], location: { text: 'somewhere' } }),
    'scopes in a country': requestOf({ scopes: ['openid'], location: { text: 'Oslo, NO', country: 'NO' } }),
    'a resource': requestOf({ resources: ['https://api.example'] }),
    'resources and scopes, in their order': requestOf({
      ...{ scopes: ['z', 'a'], resources: ['https://z.example/a?b=c,d', "http://[::1]:80/'"] },
      ...{ clientId: 'acme', location: { text: 'Oslo, NO', country: 'NO' } }
    }),
    'a challenge': requestOf({ codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' }),
    'a challenge beside scopes in a country': requestOf({
      ...{ codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', clientId: 'acme', scopes: ['openid'] },
      location: { text: 'Oslo, NO', country: 'NO' }
    }),
    'all of a code grant': requestOf({
      ...{ codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', nonce: 'n\n"ü' },
      ...{ redirectUri: 'http://127.0.0.1:1/a?b=c', resources: ['https://api.example'] }
    }),
    'no User-Agent': requestOf({ hasNoUserAgent: true }),
    'no User-Agent beside everything else': requestOf({
      ...{ redirectUri: 'http://127.0.0.1:1/', nonce: 'n', scopes: ['openid'], hasNoUserAgent: true },
      ...{ codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' }
    }),
    'a client called as something in JavaScript': requestOf({ clientId: 'null', scopes: ['null', '__proto__'] })
  }
  t.test('what a client says about itself comes back as it was', async (t) => {
    const engine = await start(t)
    for (const [name, request] of Object.entries(requests)) {
      const grant = await created(engine, { request })
      t.strictSame((await grant.find())?.request, request, `${name}: found`)
      const decision = decisionOf({ ip: '2001:db8::1' })
      t.equal((await engine.storage.grants.decide(grant.digest, decision)).kind, 'decided')
      t.strictSame(
        await grant.poll(),
        { kind: 'approved', request, decision, createdAtMs: grant.createdAtMs },
        `${name}: approved`
      )
    }
  })

  t.test('what is kept cannot be changed from outside', async (t) => {
    const engine = await start(t)
    const request = requestOf({ metadata: { name: 'before' } })
    const grant = await created(engine, { request })
    request.metadata.name = 'after'
    t.equal((await grant.find())?.request.metadata.name, 'before')
  })
}

async function races(t: Test, start: StartEngine): Promise<void> {
  const alternate = (engine: Engine, index: number) => (index % 2 === 0 ? engine.storage : engine.other).grants

  t.test('of 50 polls at once one is accepted, one repeats it, and 48 are told to slow down', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const round = async () => {
      const polls = await Promise.all(times(50, (i) => alternate(engine, i).poll(grant.digest, CLIENT_TAG)))
      return tally(polls.map(({ kind }) => kind))
    }
    t.same(await round(), { pending: 2, slow_down: 48 })
    t.same(await round(), { slow_down: 50 }, 'within the same interval none at all')
    engine.clock.advance(54_000)
    t.same(await round(), { pending: 2, slow_down: 48 }, 'and as many in the next')
  })

  t.test('of 50 decisions at once one is taken, and only its own kind may be repeated', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const made = times(50, (i) => decisionOf({ action: i % 2 === 0 ? 'approve' : 'deny', userId: `user ${i}` }))
    const results = await Promise.all(
      made.map((decision, i) => alternate(engine, i >> 1).decide(grant.digest, decision))
    )
    t.same(tally(results.map(({ kind }) => kind)), { decided: 1, resolved: 49 })
    const winner = made[results.findIndex(({ kind }) => kind === 'decided')] as Decision
    const poll = await grant.poll()
    if (winner.action === 'deny') t.same(poll, { kind: 'denied' })
    else t.same(poll, { kind: 'approved', request: requestOf(), decision: winner, createdAtMs: grant.createdAtMs })
  })

  t.test('of one user’s 50 decisions at once the first one’s authorized client is the only one', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    const made = times(50, () => decisionOf())
    const results = await Promise.all(made.map((decision, i) => alternate(engine, i).decide(grant.digest, decision)))
    t.same(tally(results.map(({ kind }) => kind)), { decided: 1, repeated: 49 })
    const winner = made[results.findIndex(({ kind }) => kind === 'decided')] as Decision
    t.same(await grant.poll(), {
      kind: 'approved',
      request: requestOf(),
      decision: winner,
      createdAtMs: grant.createdAtMs
    })
  })

  t.test('200 collections at once all succeed, and the first one’s time rules', async (t) => {
    const engine = await start(t)
    const grant = await created(engine)
    await grant.decide()
    const round = async () => tally(await Promise.all(times(200, (i) => alternate(engine, i).collect(grant.digest))))
    t.same(await round(), { collected: 200 })
    await engine.pass(30_000)
    t.same(await round(), { collected: 200 })
    await engine.pass(1)
    t.same(await round(), { spent: 200 })
  })

  t.test('of 50 grants that want one user code at once one gets it', async (t) => {
    const engine = await start(t)
    const tag = newTag()
    const digests = times(50, newDigest)
    const outcomes = await Promise.all(
      digests.map((digest, i) =>
        alternate(engine, i).create(digest, tag, {
          request: requestOf(),
          clientTag: CLIENT_TAG,
          lifeMs: LIFE_MS,
          intervalMs: INTERVAL_MS
        })
      )
    )
    t.same(tally(outcomes), { created: 1, user_code_taken: 49 })
    const winner = digests[outcomes.indexOf('created')]
    t.equal((await engine.other.grants.find(tag))?.grantDigest, winner)
    const kinds = await Promise.all(
      digests.map(async (digest) => (await engine.storage.grants.poll(digest, CLIENT_TAG)).kind)
    )
    t.same(tally(kinds), { pending: 1, unknown: 49 }, 'nothing is left of the others')
  })

  t.test(
    'polls, decisions and collections at once never bring a second approval or a decided grant back',
    async (t) => {
      const engine = await start(t)
      for (let round = 0; round < 10; round++) {
        const grant = await created(engine)
        const results = await Promise.all(
          times(30, async (i) => {
            const grants = alternate(engine, i)
            if (i === 9) return grants.decide(grant.digest, decisionOf({ userId: 'alice' }))
            if (i === 12) return grants.decide(grant.digest, decisionOf({ action: 'deny', userId: 'bob' }))
            return i % 3 === 0 ? grants.collect(grant.digest) : grants.poll(grant.digest, CLIENT_TAG)
          })
        )
        const kinds = results.map((result) => (typeof result === 'string' ? result : result.kind))
        t.equal(kinds.filter((kind) => kind === 'decided').length, 1)
        t.notOk(kinds.includes('approved') && kinds.includes('denied'), 'one decision is seen by all')
        t.ok(kinds.filter((kind) => kind === 'pending').length <= 2, 'a poll and its repetition')
      }
    }
  )
}
