/** Runs one fault from beginning to end: load, strike, repair, reading of the final state, verdict. */
import { setTimeout as sleep } from 'node:timers/promises'
import { check, type Verdict } from './checker.js'
import { whatDoesNotComeBack } from './come-back.js'
import type { Fault } from './faults.js'
import { type Figures, figuresOf } from './figures.js'
import { readFinalState } from './final-state.js'
import { acceptedLate } from './judge-answers.js'
import { type Pace, startLoad } from './load.js'
import { createRecorder } from './recorder.js'
import { watchRedis } from './redis-watch.js'
import { type Ends, startStack } from './stack.js'
import { type Rule, storiesOf } from './stories.js'
import { createTransport } from './transport.js'

export interface Measure {
  pace: Pace
  warmUpMs: number
  settleMs: number
  /** The load goes on beyond settleMs until so many requests were answered since Redis is whole: a busy machine makes few. */
  leastSinceWhole?: number
  /** The load also goes on until so many actors were started: what there is to judge comes from them. */
  leastActors?: number
  /** Overrides the duration of the fault. */
  lastsMs?: number
  /** The REDIS_TIMEOUT_MS of the instances, if it is not the default. */
  redisTimeoutMs?: number
  leastFacts: Partial<Record<Rule, number>>
}

export interface Result {
  figures: Figures
  /** The time from the strike to the repair. */
  brokenMs: number
  verdict: Verdict
  /**
   * The number of uses that were accepted after an acknowledged revocation, within the allowed time
   * (REVOKED_WITHIN_MS).
   */
  acceptedLate: number
}

const REDIS_TIMEOUT_MS = 1_000
/** The cap on waiting for `leastSinceWhole` and `leastActors`. */
const ENOUGH_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 100

export async function runFault(t: Ends, fault: Fault, directory: string, measure: Measure): Promise<Result> {
  const { redisTimeoutMs = REDIS_TIMEOUT_MS } = measure
  const stack = await startStack(t, fault.shape, directory, redisTimeoutMs)
  const transport = createTransport(stack.url)
  t.teardown(() => transport.close())
  const watch = await watchRedis(stack, redisTimeoutMs)
  t.teardown(() => watch.end())
  const recorder = createRecorder(transport)
  const { history } = recorder

  const startedAt = performance.now()
  const load = startLoad(() => recorder, measure.pace)
  await sleep(measure.warmUpMs)
  const struckAt = performance.now()
  const heal = await fault.strike(stack)
  await sleep(measure.lastsMs ?? fault.lastsMs)
  await heal()
  const healedAt = performance.now()
  await sleep(measure.settleMs)
  const { leastSinceWhole = 0, leastActors = 0 } = measure
  const isEnough = () => {
    const wholeAt = watch.wholeSince()
    return history.filter(({ sentAt }) => sentAt > wholeAt).length >= leastSinceWhole && load.actors() >= leastActors
  }
  while (!isEnough() && performance.now() < healedAt + ENOUGH_WITHIN_MS) await sleep(LOOK_EVERY_MS)
  const endedAt = performance.now()
  const leftovers = await load.end()
  const wholeAt = watch.wholeSince()

  const dead = stack.services.filter(
    ({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null
  )
  const state = await readFinalState(transport, leftovers, await stack.primaries())
  const verdict = check(history, state, measure.leastFacts)
  // A dead instance would go unnoticed otherwise, because the other one answers for both.
  verdict.violations.push(
    ...dead.map((service) => `an instance has ended by itself:\n${service.output().slice(-4_000)}`),
    ...(await whatDoesNotComeBack(stack.services))
  )
  return {
    figures: figuresOf(history, { startedAt, struckAt, healedAt, wholeAt, endedAt }, redisTimeoutMs),
    brokenMs: healedAt - struckAt,
    verdict,
    acceptedLate: storiesOf(history).reduce((sum, story) => sum + acceptedLate(story), 0)
  }
}
