/**
 * Runs random histories of grants, with requests one after another and requests at the same time. The answers must be
 * those of the plain model (grant-model.ts); answers to simultaneous requests must fit some order of them. FC_SEED=n
 * repeats a run.
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Test } from 'tap'
import { COLLECT_AGAIN_MS, graceMs, REPEAT_WITHIN_MS, RETENTION_MS } from '../../src/core/grants/state-machine.js'
import type { Storage } from '../../src/core/storage.js'
import { type Engine, newTag } from './engine.js'
import { type Done, explain, type ModelGrant, type ModelState, perform, step } from './grant-model.js'
import { type Aim, digestOf, firstGrant, type Named, type Plan, plans } from './grant-plans.js'
import { createSightings, type Sightings, wordsOf } from './grant-sightings.js'

type Grants = Pick<Storage, 'grants'>

/** The part of an engine that concerns grants. */
export interface GrantEngine extends Pick<Engine, 'clock' | 'pass'> {
  storage: Grants
  other: Grants
}

interface History extends Named {
  /** The possible states of the model: several, if the answers fit orders that lead to different states. */
  states: ModelState[]
  /** What all runs have come across. */
  sightings: Sightings
}

type Command = fc.AsyncCommand<History, GrantEngine>

export interface ModelOptions {
  runs: number
  /** Whether an engine starts so fast that each run can have a new one. */
  freshEachRun: boolean
}

export interface HistoryOptions extends ModelOptions {
  /** See Demands in grant-sightings.ts. */
  anyFirst?: boolean
}

const NOTHING: ModelState = { grants: new Map(), holders: new Map() }

export async function grantModel(
  t: Test,
  start: (t: Test) => Promise<GrantEngine>,
  { runs, freshEachRun, anyFirst = true }: HistoryOptions
): Promise<void> {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}, ${runs} runs`)
  const sightings = createSightings()
  const shared = freshEachRun ? undefined : await start(t)
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 30, size: 'max' }), async (history) => {
      const real = shared ?? (await start(t))
      const model: History = { states: [NOTHING], digests: [], tags: [newTag(), newTag(), newTag()], sightings }
      await ask([firstGrant]).run(model, real)
      await fc.asyncModelRun(() => ({ model, real }), history)
    }),
    { seed, numRuns: runs }
  )
  sightings.judge(t, { anyFirst, overtaking: !freshEachRun })
}

function commands(): fc.Arbitrary<Command>[] {
  const which = fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.nat(5) })
  const aim = fc.record({ which, tag: fc.nat(2) })
  const offMs = fc.oneof(fc.integer({ min: -1, max: 1 }), fc.integer({ min: -5_000, max: 0 }))
  const moment = fc.record({ edge: fc.constantFrom(...EDGES), offMs })
  const now = fc.constant(undefined)
  // All requests of a command concern the same grant and the same code, because others could not conflict.
  const asking = (most: number, when: fc.Arbitrary<Moment | undefined>) =>
    fc.tuple(aim, fc.array(plans(), { minLength: Math.min(2, most), maxLength: most }), when).map(([aim, all, when]) =>
      ask(
        all.map((plan) => plan(aim)),
        when && { ...when, ...aim }
      )
    )
  const wait = fc.oneof(fc.nat(6_000), fc.nat(60_000), fc.nat(900_000)).map(advance)
  const [one, several] = [asking(1, now), asking(4, now)]
  return [one, one, one, several, several, several, asking(1, moment), asking(1, moment), asking(4, moment), wait]
}

/** The times at which the state of a grant changes by itself. */
const EDGES = ['pace', 'pace', 'pace', 'repetition', 'repetition', 'expiry', 'forgotten', 'spent'] as const

interface Moment {
  edge: (typeof EDGES)[number]
  offMs: number
}

async function advanceTo({ which, edge, offMs }: Moment & Aim, history: History, real: GrantEngine): Promise<void> {
  const grant = history.states[0]?.grants.get(digestOf(history, which)) as ModelGrant
  const edges = {
    pace: grant.polledAtMs + Math.ceil(grant.intervalMs - graceMs(grant.intervalMs)),
    repetition: grant.polledAtMs + REPEAT_WITHIN_MS,
    expiry: grant.expiresAtMs,
    forgotten: grant.expiresAtMs + RETENTION_MS,
    spent: grant.collectedAtMs + COLLECT_AGAIN_MS
  }
  const ms = edges[edge] + offMs - real.clock()
  if (ms > 0) await real.pass(ms)
}

/** Sends all requests at the same time: now, or close to such a time. */
function ask(all: Plan[], when?: Moment & Aim): Command {
  return {
    check: () => true,
    async run(history, real) {
      if (when) await advanceTo(when, history, real)
      const { storage, other, clock } = real
      const operations = all.map((plan) => plan.operation(history))
      // All requests are sent before the first is answered.
      const asked = operations.map((operation, i) => perform((all[i]?.onOther ? other : storage).grants, operation))
      const answers = await Promise.all(asked)
      accept(
        history,
        operations.map((operation, i) => ({ operation, answer: answers[i] })),
        clock()
      )
    },
    toString: () => {
      const asked = all.map(({ text, onOther }) => (onOther ? `${text} of the other` : text)).join(' with ')
      return when ? `at ${when.edge} of ${when.which} ${when.offMs} ${asked}` : asked
    }
  }
}

/** Keeps the states that explain the answers. Throws if there are none. */
function accept(history: History, done: Done[], nowMs: number): void {
  const explanations = history.states.flatMap((state) => explain(state, done, nowMs))
  if (explanations.length === 0) throw new Error(complaint(history.states[0] as ModelState, done, nowMs))
  history.states = explanations
    .map(({ after }) => after)
    .filter((state, i, all) => all.findIndex((another) => isDeepStrictEqual(another, state)) === i)
  for (const { operation, answer } of done) {
    if (operation.kind === 'create' && answer === 'created') history.digests.push(operation.digest)
  }
  history.sightings.note(done, explanations, history.states.length)
}

function complaint(state: ModelState, done: Done[], nowMs: number): string {
  const said = done.map((one) => `${wordsOf(one)} ${JSON.stringify(one.answer)}`).join(' and ')
  const unexplained = `no order explains ${said}`
  if (done.length > 1) return unexplained
  return `${unexplained}: the rules say ${JSON.stringify(step(state, done[0] as Done, nowMs).right)}`
}

function advance(ms: number): Command {
  return { check: () => true, run: (_history, real) => real.pass(ms), toString: () => `advance(${ms})` }
}
