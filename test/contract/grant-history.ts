/**
 * Random histories of grants: clients who ask one after the other, and clients who ask at the same time. What they are told
 * must be what the plain model says (grant-model.ts), of those at the same time in some order. FC_SEED=n repeats a run.
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Test } from 'tap'
import { COLLECT_AGAIN_MS, graceMs, RETENTION_MS } from '../../src/grants/rules.js'
import type { Storage } from '../../src/storage/storage.js'
import { type Engine, newTag, tally } from './engine.js'
import { type Done, explain, type ModelGrant, type ModelState, perform, step } from './grant-model.js'
import { digestOf, type Named, type Plan, plans } from './grant-plans.js'

type Grants = Pick<Storage, 'grants'>

/** An engine as far as grants go. */
export interface GrantEngine extends Pick<Engine, 'clock' | 'pass'> {
  storage: Grants
  other: Grants
}

interface History extends Named {
  /** What may be kept now: more than one, if answers can have come about in ways that leave different things behind. */
  states: ModelState[]
  /** How often each thing was seen, over all runs: a model that never gets anywhere proves nothing. */
  seen: Map<string, number>
}

type Command = fc.AsyncCommand<History, GrantEngine>

export interface ModelOptions {
  runs: number
  /** Whether starting an engine costs nothing, so that each run may have its own. */
  freshEachRun: boolean
}

const NOTHING: ModelState = { grants: new Map(), holders: new Map() }

export async function grantModel(
  t: Test,
  start: (t: Test) => Promise<GrantEngine>,
  { runs, freshEachRun }: ModelOptions
): Promise<void> {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}, ${runs} runs`)
  const seen = new Map<string, number>()
  const shared = freshEachRun ? undefined : await start(t)
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 40, size: 'max' }), async (history) => {
      const real = shared ?? (await start(t))
      const model = { states: [NOTHING], digests: [], tags: [newTag(), newTag(), newTag()], seen }
      await fc.asyncModelRun(() => ({ model, real }), history)
    }),
    { seed, numRuns: runs }
  )
  for (const [what, count] of [...seen].sort()) t.comment(`${what}: ${count}`)
  for (const answer of ANSWERS) t.ok(seen.get(answer), `came by ${answer}`)
  for (const scene of [...Object.keys(SCENES), SEVERAL]) t.ok(seen.get(`together, ${scene}`), `came by ${scene}`)
}

const ANSWERS = [
  ...['create created', 'create user_code_taken', 'find pending', 'find resolved', 'find unknown'],
  ...['pending', 'slow_down', 'approved', 'denied', 'expired', 'spent', 'unknown'].map((kind) => `poll ${kind}`),
  ...['decided', 'repeated', 'resolved', 'unknown'].map((kind) => `decide ${kind}`),
  ...['collected', 'spent', 'unknown'].map((kind) => `collect ${kind}`),
  ...['pending', 'resolved', 'unknown'].map((kind) => `stateOf ${kind}`)
].flatMap((answer) => [answer, `together, ${answer}`])

/** What must have been told to clients who asked at the same time. */
const SCENES: Record<string, string[]> = {
  'two decide, one too late': ['decide decided', 'decide resolved'],
  'one decides twice': ['decide decided', 'decide repeated'],
  'a poll just before the decision': ['decide decided', 'poll pending'],
  'a refused poll just before the decision': ['decide decided', 'poll slow_down'],
  'a poll just after the approval': ['decide decided', 'poll approved'],
  'a poll just after the denial': ['decide decided', 'poll denied'],
  'a collection just before the decision': ['decide decided', 'collect unknown'],
  'a collection just after the decision': ['decide decided', 'collect collected'],
  'two collect': ['collect collected', 'collect collected'],
  'two poll': ['poll pending', 'poll slow_down'],
  'two want one code': ['create created', 'create user_code_taken'],
  'a code found as it is taken': ['create created', 'find pending'],
  'a code looked for just before it is taken': ['create created', 'find unknown']
}
const SEVERAL = 'more than one order explains it'

function commands(): fc.Arbitrary<Command>[] {
  const which = fc.nat(5)
  const aim = fc.record({ which, tag: fc.nat(2) })
  const one = fc.tuple(aim, plans()).map(([aim, plan]) => ask([plan(aim)]))
  // All of them are about the same grant and the same code: others could not get in each other's way.
  const several = fc
    .tuple(aim, fc.array(plans(), { minLength: 2, maxLength: 4 }))
    .map(([aim, all]) => ask(all.map((plan) => plan(aim))))
  const wait = fc.oneof(fc.nat(6_000), fc.nat(60_000), fc.nat(900_000)).map(advance)
  const toEdge = fc
    .record({ which, edge: fc.constantFrom(...EDGES), offMs: fc.integer({ min: -1, max: 1 }) })
    .map(advanceToEdge)
  return [one, one, one, one, several, several, several, wait, toEdge, toEdge]
}

/** Asks all of that at the same time. */
function ask(all: Plan[]): Command {
  return {
    check: ({ digests }) => digests.length > 0 || !all.some(({ needsGrant }) => needsGrant),
    async run(history, { storage, other, clock }) {
      const operations = all.map((plan) => plan.operation(history))
      // Every one is under way before the first is answered.
      const asked = operations.map((operation, i) => perform((all[i]?.onOther ? other : storage).grants, operation))
      const answers = await Promise.all(asked)
      accept(
        history,
        operations.map((operation, i) => ({ operation, answer: answers[i] })),
        clock()
      )
    },
    toString: () => all.map(({ text, onOther }) => (onOther ? `${text} of the other` : text)).join(' with ')
  }
}

/** Goes on from whatever explains what was said, and fails when nothing does. */
function accept(history: History, done: Done[], nowMs: number): void {
  const explanations = history.states.flatMap((state) => explain(state, done, nowMs))
  if (explanations.length === 0) throw new Error(complaint(history.states[0] as ModelState, done, nowMs))
  history.states = explanations
    .map(({ after }) => after)
    .filter((state, i, all) => all.findIndex((another) => isDeepStrictEqual(another, state)) === i)
  for (const { operation, answer } of done) {
    if (operation.kind === 'create' && answer === 'created') history.digests.push(operation.digest)
  }
  const said = done.map(wordsOf)
  const scenes = Object.entries(SCENES).flatMap(([scene, words]) => (includesAll(said, words) ? [scene] : []))
  const events = [...said, ...scenes]
  if (explanations.length > 1) events.push(SEVERAL)
  if (history.states.length > 1) events.push('more than one state is left')
  if (!explanations.some(({ order }) => isDeepStrictEqual(order, done))) events.push('not as they were asked')
  for (const event of events) {
    const name = done.length > 1 ? `together, ${event}` : event
    history.seen.set(name, (history.seen.get(name) ?? 0) + 1)
  }
}

function complaint(state: ModelState, done: Done[], nowMs: number): string {
  const said = done.map((one) => `${wordsOf(one)} ${JSON.stringify(one.answer)}`).join(' and ')
  if (done.length > 1) return `no order explains ${said}`
  return `the store says ${said}, the rules say ${JSON.stringify(step(state, done[0] as Done, nowMs).right)}`
}

function wordsOf({ operation, answer }: Done): string {
  if (typeof answer !== 'object') return `${operation.kind} ${answer ?? 'unknown'}`
  const { kind, state } = answer as { kind?: string; state?: string }
  return `${operation.kind} ${kind ?? state}`
}

function includesAll(said: string[], words: string[]): boolean {
  const counts = tally(said)
  return Object.entries(tally(words)).every(([word, count]) => (counts[word] ?? 0) >= count)
}

function advance(ms: number): Command {
  return { check: () => true, run: (_history, real) => real.pass(ms), toString: () => `advance(${ms})` }
}

/** The moments at which a grant turns into something else. */
const EDGES = ['pace', 'expiry', 'forgotten', 'spent'] as const

function advanceToEdge({
  which,
  edge,
  offMs
}: {
  which: number
  edge: (typeof EDGES)[number]
  offMs: number
}): Command {
  return {
    check: ({ digests }) => digests.length > 0,
    async run(history, real) {
      const grant = history.states[0]?.grants.get(digestOf(history, which)) as ModelGrant
      const edges = {
        pace: grant.polledAtMs + Math.ceil(grant.intervalMs - graceMs(grant.intervalMs)),
        expiry: grant.expiresAtMs,
        forgotten: grant.expiresAtMs + RETENTION_MS,
        spent: grant.collectedAtMs + COLLECT_AGAIN_MS
      }
      const ms = edges[edge] + offMs - real.clock()
      if (ms > 0) await real.pass(ms)
    },
    toString: () => `advance to ${edge} of ${which} ${offMs}`
  }
}
