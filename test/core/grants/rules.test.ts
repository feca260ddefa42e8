/** The rules by themselves, tested with the numbers of the specification and not with constants of the code. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { countriesDiffer } from '../../../src/core/grants/grant.js'
import {
  type GrantState,
  graceMs,
  judgeCollection,
  judgeDecision,
  judgePoll,
  judgeWithdrawal
} from '../../../src/core/grants/rules.js'

const NOW = 1_700_000_000_000

const stateOf = (parts: Partial<GrantState> = {}): GrantState => ({
  phase: 'pending',
  expiresAtMs: NOW + 900_000,
  intervalMs: 5_000,
  polledAtMs: 0,
  collectedAtMs: 0,
  ...parts
})

const interval = fc.integer({ min: 1_000, max: 60_000 })
const phase = fc.constantFrom<GrantState['phase']>('pending', 'approved', 'denied', 'collected', 'withdrawn')
const state = fc
  .record({
    phase,
    intervalMs: interval,
    polledAgoMs: fc.option(fc.nat(70_000)),
    leftMs: fc.integer({ min: -400_000, max: 900_000 }),
    collectedAgoMs: fc.nat(60_000)
  })
  .map(({ phase, intervalMs, polledAgoMs, leftMs, collectedAgoMs }) =>
    stateOf({
      ...{ phase, intervalMs, expiresAtMs: NOW + leftMs },
      ...{ polledAtMs: polledAgoMs === null ? 0 : NOW - polledAgoMs },
      collectedAtMs: phase === 'collected' ? NOW - collectedAgoMs : 0
    })
  )

const holds = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => boolean) =>
  fc.assert(fc.property(arbitrary, property), { numRuns: 3_000 })

t.test('the grace is a tenth of the interval and at least half a second', async (t) => {
  const expected = [1_000, 500, 5_000, 500, 5_001, 500.1, 10_000, 1_000, 60_000, 6_000]
  for (let i = 0; i < expected.length; i += 2) t.equal(graceMs(expected[i] as number), expected[i + 1])
})

t.test('a poll within the interval, less the grace, is slowed down, and no other', async (t) => {
  holds(fc.tuple(interval, fc.nat(70_000)), ([intervalMs, gapMs]) => {
    const grant = stateOf({ intervalMs, polledAtMs: NOW - gapMs })
    const verdict = judgePoll(grant, NOW)
    const isEarly = gapMs < intervalMs - Math.max(500, 0.1 * intervalMs)
    const isRight = verdict === (isEarly ? 'slow_down' : 'pending')
    return isRight && grant.intervalMs === (isEarly ? Math.min(intervalMs + 5_000, 60_000) : intervalMs)
  })
  t.pass('3,000 gaps')
})

t.test('every poll of a pending grant moves its pace, and nothing else moves it', async (t) => {
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgePoll(grant, NOW)
    const isPaced = verdict === 'pending' || verdict === 'slow_down'
    const rest = { polledAtMs: 0, intervalMs: 0 }
    if (!isDeepStrictEqual({ ...grant, ...rest }, { ...before, ...rest })) return false
    return isPaced
      ? grant.polledAtMs === NOW
      : grant.polledAtMs === before.polledAtMs && grant.intervalMs === before.intervalMs
  })
  t.pass('3,000 states')
})

t.test('the first poll is never slowed down', async (t) => {
  holds(interval, (intervalMs) => judgePoll(stateOf({ intervalMs }), NOW) === 'pending')
  t.pass('at 3,000 intervals')
})

t.test('an interval only grows, and never beyond a minute', async (t) => {
  holds(fc.tuple(interval, fc.array(fc.nat(70_000), { maxLength: 40 })), ([intervalMs, gaps]) => {
    const grant = stateOf({ intervalMs, expiresAtMs: Number.MAX_SAFE_INTEGER })
    let nowMs = NOW
    for (const gapMs of gaps) {
      const before = grant.intervalMs
      nowMs += gapMs
      judgePoll(grant, nowMs)
      if (grant.intervalMs < before || grant.intervalMs > 60_000) return false
    }
    return true
  })
  t.pass('3,000 histories')
})

t.test('a client that heeds what it is told is never told a second time', async (t) => {
  holds(
    fc.tuple(interval, fc.array(fc.integer({ min: 900, max: 2_000 }), { maxLength: 30 })),
    ([intervalMs, paces]) => {
      const grant = stateOf({ intervalMs, expiresAtMs: Number.MAX_SAFE_INTEGER })
      judgePoll(grant, NOW)
      judgePoll(grant, NOW)
      let nowMs = NOW
      return paces.every((perMille) => {
        nowMs += Math.ceil((grant.intervalMs * perMille) / 1_000)
        return judgePoll(grant, nowMs) === 'pending'
      })
    }
  )
  t.pass('3,000 clients, by clocks up to a tenth fast')
})

t.test('a decision beats pace and expiry', async (t) => {
  holds(state, (grant) => {
    const { phase, expiresAtMs } = grant
    if (phase !== 'approved' && phase !== 'denied') return true
    return judgePoll(grant, NOW) === (NOW < expiresAtMs + 300_000 ? phase : 'unknown')
  })
  t.pass('3,000 states')
})

t.test('an undecided grant expires at its time and is forgotten five minutes later', async (t) => {
  for (const [offMs, verdict] of [
    [-1, 'pending'],
    [0, 'expired'],
    [299_999, 'expired'],
    [300_000, 'unknown']
  ] as const) {
    t.equal(judgePoll(stateOf(), NOW + 900_000 + offMs), verdict, `${offMs} ms from the expiry`)
  }
})

t.test('a decision is open exactly while a grant is pending and alive', async (t) => {
  holds(state, (grant) => {
    const { phase, expiresAtMs } = grant
    const living = phase === 'withdrawn' ? phase : phase === 'pending' && NOW < expiresAtMs ? 'open' : 'resolved'
    return judgeDecision(grant, NOW) === (NOW >= expiresAtMs + 300_000 ? 'unknown' : living)
  })
  t.pass('3,000 states')
})

t.test('a withdrawal ends what is pending and alive, and nothing else', async (t) => {
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgeWithdrawal(grant, NOW)
    const isForgotten = NOW >= before.expiresAtMs + 300_000
    if (before.phase === 'pending' && NOW < before.expiresAtMs) {
      const isEnded = grant.phase === 'withdrawn' && isDeepStrictEqual({ ...grant, phase: 'pending' }, before)
      return (
        isEnded &&
        verdict === 'withdrawn' &&
        judgeDecision(grant, NOW) === 'withdrawn' &&
        judgePoll(grant, NOW) === 'expired'
      )
    }
    if (!isDeepStrictEqual(grant, before)) return false
    if (before.phase === 'collected' && NOW - before.collectedAtMs <= 30_000) return verdict === 'approved'
    if (isForgotten) return verdict === 'unknown'
    if (before.phase === 'approved' || before.phase === 'collected') return verdict === 'approved'
    return verdict === (before.phase === 'withdrawn' ? 'withdrawn' : 'resolved')
  })
  t.pass('3,000 states')
})

t.test('a collection claims what is approved, once, and holds for 30 seconds', async (t) => {
  const grant = stateOf({ phase: 'approved' })
  t.equal(judgeCollection(grant, NOW), 'collected')
  t.same([grant.phase, grant.collectedAtMs], ['collected', NOW])
  for (const [offMs, again, poll] of [
    [0, 'collected', 'approved'],
    [30_000, 'collected', 'approved'],
    [30_001, 'spent', 'spent']
  ] as const) {
    t.equal(judgeCollection(grant, NOW + offMs), again)
    t.equal(judgePoll(grant, NOW + offMs), poll)
    t.equal(grant.collectedAtMs, NOW, 'by its first time')
  }
  holds(state, (grant) => {
    const before = { ...grant }
    const verdict = judgeCollection(grant, NOW)
    const isAlive = NOW < before.expiresAtMs + 300_000
    if (before.phase === 'approved' && isAlive) return verdict === 'collected' && grant.collectedAtMs === NOW
    // Only the first collection may change the grant.
    if (!isDeepStrictEqual(grant, before)) return false
    if (before.phase !== 'collected') return verdict === 'unknown'
    return verdict === (NOW - before.collectedAtMs <= 30_000 ? 'collected' : 'spent')
  })
})

t.test('countries differ only when both are known', async (t) => {
  const at = (country?: string) => ({ text: 'somewhere', ...(country !== undefined && { country }) })
  t.equal(countriesDiffer(at('DE'), at('DE')), false)
  t.equal(countriesDiffer(at('DE'), at('AT')), true)
  for (const [requester, approver] of [
    [at('DE'), at()],
    [at(), at('DE')],
    [at(), at()],
    [undefined, at('DE')],
    [at('DE'), undefined],
    [undefined, undefined]
  ] as const) {
    t.equal(countriesDiffer(requester, approver), undefined)
  }
})
