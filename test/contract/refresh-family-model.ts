/**
 * Runs random histories of refresh families. The answers of a store must be those of src/core/tokens/refresh-family.ts
 * on a plain state kept beside it. FC_SEED=n repeats a run.
 */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Test } from 'tap'
import { type FamilyState, judgeRotation, REPLAY_GRACE_MS } from '../../src/core/tokens/refresh-family.js'
import { type Engine, newDigest, type StartEngine } from './engine.js'
import type { ModelOptions } from './grant-history.js'

interface ModelFamily extends FamilyState {
  userId: string
  keepUntilMs: number
}

interface Model {
  ids: string[]
  families: Map<string, ModelFamily>
  /** All tokens that ever existed, of every family, the latest first. Commands name them by number. */
  digests: string[]
  /**
   * Families are not looked at this long before the end of their life, because an engine may count lives by its own
   * running clock.
   */
  leavingMs: number
  /** How often each answer was seen in all runs, because a history that never reaches an answer does not test it. */
  seen: Map<string, number>
}

type Real = Engine
type Command = fc.AsyncCommand<Model, Real>

const ANSWERS = [
  ...['begin begun', 'begin there', 'find found', 'find unknown'],
  ...['rotated', 'repeated', 'replayed', 'refused', 'unknown'].map((kind) => `rotate ${kind}`)
]

export async function refreshFamilyModel(t: Test, start: StartEngine, { runs, freshEachRun }: ModelOptions) {
  const seed = Number(process.env.FC_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`seed ${seed}, ${runs} runs`)
  const seen = new Map<string, number>()
  const shared = freshEachRun ? undefined : await start(t)
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 40, size: 'max' }), async (history) => {
      const real = shared ?? (await start(t))
      const leavingMs = freshEachRun ? 0 : 5_000
      const model = { ids: [randomUUID(), randomUUID()], families: new Map(), digests: [], leavingMs, seen }
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

function commands(): fc.Arbitrary<Command>[] {
  const which = fc.nat(1)
  const onOther = fc.boolean()
  const user = fc.constantFrom('alice', 'bob\n"}')
  const lifeMs = fc.constantFrom(60_000, 3_600_000, 2_592_000_000)
  const edge = fc.constantFrom<Edge>('grace', 'grace', 'grace', 'end')
  const toEdge = fc.record({ which, edge, entry: fc.nat(3), offMs: fc.integer({ min: -1, max: 1 }) })
  return [
    fc.record({ which, user, lifeMs, onOther }).map(begin),
    fc.record({ which, user, lifeMs, onOther }).map(begin),
    fc.record({ which, onOther }).map(rotateCurrent),
    fc.record({ which, onOther }).map(rotateCurrent),
    fc.record({ which, onOther }).map(rotateCurrent),
    fc.record({ which, onOther, back: fc.nat(7) }).map(rotateOld),
    fc.record({ which, onOther, back: fc.nat(7) }).map(rotateOld),
    which.map(rotateForeign),
    which.map(find),
    fc.oneof(fc.nat(3_000), fc.nat(40_000), fc.nat(4_000_000)).map(advance),
    toEdge.map(advanceToEdge),
    toEdge.map(advanceToEdge)
  ]
}

const idOf = (model: Model, which: number) => model.ids[which % model.ids.length] as string

function command(
  text: string,
  run: (model: Model, real: Real, nowMs: number) => Promise<string | undefined>,
  check: (model: Model) => boolean = () => true
): Command {
  return {
    check: (model) => check(model),
    async run(model, real) {
      while (forgetWhoIsOver(model, real)) await real.pass(model.leavingMs)
      const answer = await run(model, real, real.clock())
      if (answer) model.seen.set(answer, (model.seen.get(answer) ?? 0) + 1)
    },
    toString: () => text
  }
}

/** Deletes the families whose life is over. Returns whether one is so close to its end that it must be waited for. */
function forgetWhoIsOver({ families, leavingMs }: Model, real: Real): boolean {
  for (const [id, { keepUntilMs }] of families) if (keepUntilMs <= real.clock()) families.delete(id)
  return [...families.values()].some(({ keepUntilMs }) => keepUntilMs - leavingMs <= real.clock())
}

function expectEqual(actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(`the store says ${JSON.stringify(actual)}, the rules say ${JSON.stringify(expected)}`)
}

function begin(parts: { which: number; user: string; lifeMs: number; onOther: boolean }): Command {
  const { which, user: userId, lifeMs, onOther } = parts
  return command(`begin(${which}, ${JSON.stringify(userId)}, life ${lifeMs})`, async (model, real, nowMs) => {
    const id = idOf(model, which)
    const currentDigest = newDigest()
    const { refreshFamilies } = onOther ? real.other : real.storage
    const there = await refreshFamilies.begin(id, { userId, currentDigest }, nowMs + lifeMs)
    const family = model.families.get(id)
    expectEqual(there, { userId: family?.userId ?? userId, currentDigest: family?.currentDigest ?? currentDigest })
    if (family) return 'begin there'
    model.families.set(id, { userId, currentDigest, rotated: [], keepUntilMs: nowMs + lifeMs })
    model.digests.unshift(currentDigest)
    return 'begin begun'
  })
}

async function rotate(model: Model, real: Engine, id: string, presented: string, onOther: boolean): Promise<string> {
  const next = newDigest()
  const nowMs = real.clock()
  const answer = await (onOther ? real.other : real.storage).refreshFamilies.rotate(id, presented, next)
  const family = model.families.get(id)
  if (!family) {
    expectEqual(answer, { kind: 'unknown' })
    return 'rotate unknown'
  }
  const kind = judgeRotation(family, presented, next, nowMs)
  const tellsCurrent = kind === 'rotated' || kind === 'repeated'
  expectEqual(answer, { kind, ...(tellsCurrent && { currentDigest: family.currentDigest }) })
  if (kind === 'rotated') model.digests.unshift(next)
  return `rotate ${kind}`
}

const hasFamily = (which: number) => (model: Model) => model.families.has(idOf(model, which))

function rotateCurrent({ which, onOther }: { which: number; onOther: boolean }): Command {
  return command(
    `rotate(${which}, the current one)`,
    async (model, real) => {
      const id = idOf(model, which)
      return rotate(model, real, id, model.families.get(id)?.currentDigest ?? newDigest(), onOther)
    },
    hasFamily(which)
  )
}

function rotateOld({ which, back, onOther }: { which: number; back: number; onOther: boolean }): Command {
  return command(
    `rotate(${which}, token ${back} back)`,
    async (model, real) => {
      const presented = model.digests[back % model.digests.length] as string
      return rotate(model, real, idOf(model, which), presented, onOther)
    },
    (model) => model.digests.length > 0
  )
}

function rotateForeign(which: number): Command {
  return command(`rotate(${which}, a made-up token)`, (model, real) =>
    rotate(model, real, idOf(model, which), newDigest(), false)
  )
}

function find(which: number): Command {
  return command(`find(${which})`, async (model, real) => {
    const family = model.families.get(idOf(model, which))
    const found = await real.storage.refreshFamilies.find(idOf(model, which))
    expectEqual(found, family && { userId: family.userId, currentDigest: family.currentDigest })
    return `find ${found ? 'found' : 'unknown'}`
  })
}

function advance(ms: number): Command {
  return command(`advance(${ms})`, async (_model, real) => {
    await real.pass(ms)
    return undefined
  })
}

/** The times at which an answer changes. */
type Edge = 'grace' | 'end'

function advanceToEdge(parts: { which: number; edge: Edge; entry: number; offMs: number }): Command {
  const { which, edge, entry, offMs } = parts
  return command(`advance to ${edge} ${entry} of ${which} ${offMs}`, async (model, real, nowMs) => {
    const family = model.families.get(idOf(model, which))
    if (!family) return undefined
    const rotatedAtMs = family.rotated[entry % Math.max(1, family.rotated.length)]?.atMs ?? 0
    const ms = (edge === 'end' ? family.keepUntilMs : rotatedAtMs + REPLAY_GRACE_MS) + offMs - nowMs
    if (ms > 0) await real.pass(ms)
    return undefined
  })
}
