/** One fault from beginning to end: the load, the strike, the repair, the look at what is left, and the verdict. */
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
  /** If not as long as the fault says. */
  lastsMs?: number
  /** REDIS_TIMEOUT_MS of the instances, if not what it is by default. */
  redisTimeoutMs?: number
  leastFacts: Partial<Record<Rule, number>>
}

export interface Result {
  figures: Figures
  /** From the strike to the repair. */
  brokenMs: number
  verdict: Verdict
  /** Tokens that were good after their revocation was acknowledged, within the time that is allowed. */
  acceptedLate: number
}

const REDIS_TIMEOUT_MS = 1_000

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
  const load = startLoad(recorder, measure.pace)
  await sleep(measure.warmUpMs)
  const struckAt = performance.now()
  const heal = await fault.strike(stack)
  await sleep(measure.lastsMs ?? fault.lastsMs)
  await heal()
  const healedAt = performance.now()
  await sleep(measure.settleMs)
  const endedAt = performance.now()
  const leftovers = await load.end()
  const wholeAt = watch.wholeSince()

  const dead = stack.services.filter(
    ({ process: { exitCode, signalCode } }) => exitCode !== null || signalCode !== null
  )
  const state = await readFinalState(transport, leftovers, await stack.primaries())
  const verdict = check(history, state, measure.leastFacts)
  // The other one does its work, and nobody would see it.
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
