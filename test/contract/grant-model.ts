/**
 * Random histories of grants against the plain rules: what a store answers must be what src/grants/rules.ts says of a state
 * that was kept beside it. FC_SEED=n repeats a run.
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Test } from 'tap'
import type { Action, Decision, GrantRequest } from '../../src/grants/grant.js'
import {
  COLLECT_AGAIN_MS,
  type GrantState,
  graceMs,
  isForgotten,
  judgeCollection,
  judgeDecision,
  judgePoll,
  RETENTION_MS,
  TTL_SLACK_MS
} from '../../src/grants/rules.js'
import { CLIENT_TAG, decisionOf, type Engine, newDigest, newTag, requestOf, type StartEngine } from './engine.js'

interface ModelGrant extends GrantState {
  digest: string
  tag: string
  request: GrantRequest
  createdAtMs: number
  decision: Decision | undefined
}

interface Model {
  /** In the order of their making; commands name them by number. */
  grants: ModelGrant[]
  tags: string[]
  holders: Map<string, ModelGrant>
  /** How often each answer was seen, over all runs: a model that never gets anywhere proves nothing. */
  seen: Map<string, number>
}

type Real = Engine
type Command = fc.AsyncCommand<Model, Real>

export interface ModelOptions {
  runs: number
  /** Whether starting an engine costs nothing, so that each run may have its own. */
  freshEachRun: boolean
}

export async function grantModel(t: Test, start: StartEngine, { runs, freshEachRun }: ModelOptions): Promise<void> {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}, ${runs} runs`)
  const seen = new Map<string, number>()
  const shared = freshEachRun ? undefined : await start(t)
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 40, size: 'max' }), async (history) => {
      const real = shared ?? (await start(t))
      const model = { grants: [], tags: [newTag(), newTag(), newTag()], holders: new Map(), seen }
      await fc.asyncModelRun(() => ({ model, real }), history)
    }),
    { seed, numRuns: runs }
  )
  t.comment(
    [...seen]
      .sort()
      .map(([answer, count]) => `${answer} ${count}`)
      .join(', ')
  )
  for (const answer of ANSWERS) t.ok(seen.get(answer), `came by ${answer}`)
}

const ANSWERS = [
  ...['create created', 'create user_code_taken', 'find pending', 'find resolved', 'find unknown'],
  ...['pending', 'slow_down', 'approved', 'denied', 'expired', 'spent', 'unknown'].map((kind) => `poll ${kind}`),
  ...['decided', 'repeated', 'resolved', 'unknown'].map((kind) => `decide ${kind}`),
  ...['collected', 'spent', 'unknown'].map((kind) => `collect ${kind}`)
]

function commands(): fc.Arbitrary<Command>[] {
  const which = fc.nat(5)
  const tag = fc.nat(2)
  const action = fc.constantFrom<Action>('approve', 'approve', 'deny')
  const user = fc.constantFrom('alice', 'bob')
  return [
    fc.record({ tag, lifeMs: fc.constantFrom(10_000, 61_234, 900_000), intervalMs: interval() }).map(create),
    which.map(poll),
    which.map(poll),
    which.map(poll),
    fc.record({ which, action, user }).map(decide),
    which.map(collect),
    tag.map(find),
    fc.oneof(fc.nat(6_000), fc.nat(60_000), fc.nat(900_000)).map(advance),
    fc.record({ which, edge: fc.constantFrom(...EDGES), offMs: fc.integer({ min: -1, max: 1 }) }).map(advanceToEdge),
    fc.record({ which, edge: fc.constantFrom(...EDGES), offMs: fc.integer({ min: -1, max: 1 }) }).map(advanceToEdge)
  ]
}

const interval = () => fc.oneof(fc.constantFrom(1_000, 5_000, 60_000), fc.integer({ min: 1_000, max: 60_000 }))

const isOver = (grant: ModelGrant, nowMs: number, slackMs = 0) =>
  isForgotten(grant, nowMs - slackMs) &&
  (grant.phase !== 'collected' || nowMs - slackMs > grant.collectedAtMs + COLLECT_AGAIN_MS)

const pick = (model: Model, which: number) => model.grants[which % model.grants.length] as ModelGrant

function command(
  text: string,
  run: (model: Model, real: Real, nowMs: number) => Promise<string | undefined>,
  needsGrant = true
): Command {
  return {
    check: (model) => !needsGrant || model.grants.length > 0,
    async run(model, real) {
      const answer = await run(model, real, real.clock())
      if (answer) model.seen.set(answer, (model.seen.get(answer) ?? 0) + 1)
    },
    toString: () => text
  }
}

function expectEqual(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(`the store says ${JSON.stringify(actual)}, the rules say ${JSON.stringify(expected)}`)
}

function create(parts: { tag: number; lifeMs: number; intervalMs: number }): Command {
  const { lifeMs, intervalMs } = parts
  return command(
    `create(code ${parts.tag}, life ${lifeMs}, interval ${intervalMs})`,
    async (model, { storage }, nowMs) => {
      const tag = model.tags[parts.tag] as string
      const holder = model.holders.get(tag)
      const digest = newDigest()
      const request = requestOf({ metadata: { name: `grant ${model.grants.length}\n` } })
      const outcome = await storage.grants.create(digest, tag, { request, clientTag: CLIENT_TAG, lifeMs, intervalMs })
      // Between the rules' forgetting and the engine's collecting the garbage either is right.
      if (!holder || isOver(holder, nowMs, TTL_SLACK_MS)) expectEqual(outcome, 'created')
      else if (!isOver(holder, nowMs)) expectEqual(outcome, 'user_code_taken')
      if (outcome === 'created') {
        const grant: ModelGrant = {
          ...{ digest, tag, request, intervalMs, createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs },
          ...{ phase: 'pending', polledAtMs: 0, collectedAtMs: 0, decision: undefined }
        }
        model.grants.push(grant)
        model.holders.set(tag, grant)
      }
      return `create ${outcome}`
    },
    false
  )
}

function poll(which: number): Command {
  return command(`poll(${which})`, async (model, { storage }, nowMs) => {
    const grant = pick(model, which)
    const answer = await storage.grants.poll(grant.digest, CLIENT_TAG)
    const isGarbage = isOver(grant, nowMs)
    const kind = judgePoll(grant, nowMs)
    // Spent, or already swept: nobody is told the difference.
    if (kind === 'spent' && isGarbage && answer.kind === 'unknown') return 'poll unknown'
    if (kind === 'slow_down') expectEqual(answer, { kind, intervalMs: grant.intervalMs })
    else if (kind === 'approved') expectEqual(answer, { kind, request: grant.request, decision: grant.decision })
    else expectEqual(answer, { kind })
    return `poll ${kind}`
  })
}

function decide(parts: { which: number; action: Action; user: string }): Command {
  const { action, user: userId } = parts
  return command(`decide(${parts.which}, ${action}, ${userId})`, async (model, { storage }, nowMs) => {
    const grant = pick(model, parts.which)
    const decision = decisionOf({ action, userId })
    const answer = await storage.grants.decide(grant.digest, decision)
    const judged = judgeDecision(grant, nowMs)
    const isRepeated = grant.decision?.action === action && grant.decision.userId === userId
    if (judged === 'open') {
      expectEqual(answer, { kind: 'decided', afterMs: nowMs - grant.createdAtMs })
      grant.phase = action === 'approve' ? 'approved' : 'denied'
      grant.decision = decision
    } else expectEqual(answer, { kind: judged === 'resolved' && isRepeated ? 'repeated' : judged })
    return `decide ${answer.kind}`
  })
}

function collect(which: number): Command {
  return command(`collect(${which})`, async (model, { storage }, nowMs) => {
    const grant = pick(model, which)
    const answer = await storage.grants.collect(grant.digest)
    const isGarbage = isOver(grant, nowMs)
    const judged = judgeCollection(grant, nowMs)
    if (!(judged === 'spent' && isGarbage && answer === 'unknown')) expectEqual(answer, judged)
    return `collect ${answer}`
  })
}

function find(which: number): Command {
  return command(`find(code ${which})`, async (model, { storage }, nowMs) => {
    const tag = model.tags[which] as string
    const grant = model.holders.get(tag)
    const found = await storage.grants.find(tag)
    const judged = grant ? judgeDecision(grant, nowMs) : 'unknown'
    if (!grant || judged === 'unknown') expectEqual(found, undefined)
    else {
      const state = judged === 'open' ? 'pending' : 'resolved'
      const { digest: grantDigest, request, createdAtMs, decision } = grant
      expectEqual(found, { grantDigest, state, request, createdAtMs, decision })
    }
    return `find ${found?.state ?? 'unknown'}`
  })
}

function advance(ms: number): Command {
  const run = async (_model: Model, real: Real) => {
    await real.pass(ms)
    return undefined
  }
  return command(`advance(${ms})`, run, false)
}

/** The moments at which a grant turns into something else. */
const EDGES = ['pace', 'expiry', 'forgotten', 'spent'] as const

function advanceToEdge(parts: { which: number; edge: (typeof EDGES)[number]; offMs: number }): Command {
  const { edge, offMs } = parts
  return command(`advance to ${edge} of ${parts.which} ${offMs}`, async (model, real, nowMs) => {
    const grant = pick(model, parts.which)
    const edges = {
      pace: grant.polledAtMs + Math.ceil(grant.intervalMs - graceMs(grant.intervalMs)),
      expiry: grant.expiresAtMs,
      forgotten: grant.expiresAtMs + RETENTION_MS,
      spent: grant.collectedAtMs + COLLECT_AGAIN_MS
    }
    const ms = edges[edge] + offMs - nowMs
    if (ms > 0) await real.pass(ms)
    return undefined
  })
}
