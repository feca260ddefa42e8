/**
 * The contract of every engine's refresh family store: `RefreshFamilyStore` of src/core/tokens/refresh-family.ts, by the rules
 * beside it.
 */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { RefreshFamilyStore, Rotation } from '../../src/core/tokens/refresh-family.js'
import { type Engine, newDigest, type StartEngine, tally, times } from './engine.js'

const GRACE_MS = 30_000
const DAY_MS = 86_400_000

/** Begins a family. `digests` are its tokens in order; each is rotated into the next. */
async function begun(engine: Engine, { userId = 'alice', lifeMs = 30 * DAY_MS } = {}) {
  const id = randomUUID()
  const digests = times(12, newDigest)
  const at = (index: number) => digests[index] as string
  const { refreshFamilies: families } = engine.storage
  await families.begin(id, { userId, currentDigest: at(0) }, engine.clock() + lifeMs)
  return {
    id,
    at,
    rotate: (index: number, by: RefreshFamilyStore = families) => by.rotate(id, at(index), at(index + 1)),
    find: () => families.find(id)
  }
}

const rotated = (currentDigest: string): Rotation => ({ kind: 'rotated', currentDigest })
const repeated = (currentDigest: string): Rotation => ({ kind: 'repeated', currentDigest })

export function refreshFamilyStoreContract(t: Test, start: StartEngine): void {
  t.test('beginnings', (t) => beginnings(t, start))
  t.test('rotations', (t) => rotations(t, start))
  t.test('more rotations than are remembered', (t) => forgotten(t, start))
  t.test('how long families live', (t) => life(t, start))
  t.test('races', (t) => races(t, start))
}

async function beginnings(t: Test, start: StartEngine): Promise<void> {
  t.test('a family begins once: who begins it again is told what is there', async (t) => {
    const engine = await start(t)
    const until = engine.clock() + DAY_MS
    const [id, first, second] = [randomUUID(), newDigest(), newDigest()]
    const { storage, other } = engine
    const begin = (by: typeof storage, userId: string, currentDigest: string) =>
      by.refreshFamilies.begin(id, { userId, currentDigest }, until)
    t.strictSame(await begin(storage, 'alice', first), { userId: 'alice', currentDigest: first })
    t.strictSame(await begin(storage, 'alice', first), { userId: 'alice', currentDigest: first }, 'the same call again')
    t.strictSame(await begin(other, 'bob', second), { userId: 'alice', currentDigest: first }, 'any other call')
    t.strictSame(await storage.refreshFamilies.find(id), { userId: 'alice', currentDigest: first })
    t.strictSame(await other.refreshFamilies.find(id), { userId: 'alice', currentDigest: first })
  })

  t.test('what has become of it since is told as well', async (t) => {
    const engine = await start(t)
    const { id, at, rotate } = await begun(engine)
    await rotate(0)
    await rotate(1)
    const again = { userId: 'alice', currentDigest: at(0) }
    t.strictSame(await engine.storage.refreshFamilies.begin(id, again, engine.clock() + DAY_MS), {
      userId: 'alice',
      currentDigest: at(2)
    })
    t.strictSame(await rotate(1), repeated(at(2)), 'and what was rotated is still known')
  })

  t.test('the user is kept to the letter, whatever the letters are', async (t) => {
    const engine = await start(t)
    for (const userId of ['"}', 'a\nb', 'ü{}:*', '\u0000', '🔑', '日本', '__proto__', '%7B', ' ', 'x'.repeat(255)]) {
      const { find, at } = await begun(engine, { userId })
      t.strictSame(await find(), { userId, currentDigest: at(0) }, encodeURIComponent(userId))
    }
  })

  t.test('a family nobody began is unknown, and asking does not begin it', async (t) => {
    const { storage } = await start(t)
    const id = randomUUID()
    t.equal(await storage.refreshFamilies.find(id), undefined)
    t.strictSame(await storage.refreshFamilies.rotate(id, newDigest(), newDigest()), { kind: 'unknown' })
    t.equal(await storage.refreshFamilies.find(id), undefined)
  })
}

async function rotations(t: Test, start: StartEngine): Promise<void> {
  t.test('the current token is followed by the next, whenever it comes', async (t) => {
    const engine = await start(t)
    const { at, rotate, find } = await begun(engine)
    for (const [index, ms] of [0, 1, GRACE_MS, DAY_MS].entries()) {
      await engine.pass(ms)
      t.strictSame(await rotate(index), rotated(at(index + 1)))
      t.strictSame(await find(), { userId: 'alice', currentDigest: at(index + 1) })
    }
  })

  t.test('a rotated token leads to the current one for 30 seconds, to the millisecond', async (t) => {
    const engine = await start(t)
    const { at, rotate } = await begun(engine)
    await rotate(0)
    t.strictSame(await rotate(0), repeated(at(1)), 'at once')
    await engine.pass(GRACE_MS)
    t.strictSame(await rotate(0), repeated(at(1)), 'at 30 s')
    await engine.pass(1)
    t.strictSame(await rotate(0), { kind: 'replayed' }, 'a millisecond later')
    await engine.pass(DAY_MS)
    t.strictSame(await rotate(0), { kind: 'replayed' }, 'and from then on')
  })

  t.test('asking again does not prolong the 30 seconds', async (t) => {
    const engine = await start(t)
    const { at, rotate } = await begun(engine)
    await rotate(0)
    for (let i = 0; i < 3; i++) {
      await engine.pass(GRACE_MS / 3)
      t.strictSame(await rotate(0), repeated(at(1)))
    }
    await engine.pass(1)
    t.strictSame(await rotate(0), { kind: 'replayed' })
  })

  t.test('each rotated token has 30 seconds of its own, and all of them lead to the current one', async (t) => {
    const engine = await start(t)
    const { at, rotate } = await begun(engine)
    for (let index = 0; index < 4; index++) {
      await rotate(index)
      await engine.pass(1_000)
    }
    for (let index = 0; index < 4; index++) t.strictSame(await rotate(index), repeated(at(4)), `token ${index}`)
    await engine.pass(GRACE_MS - 4_000)
    t.strictSame(await rotate(0), repeated(at(4)))
    for (let index = 0; index < 4; index++) {
      await engine.pass(1)
      t.strictSame(await rotate(index), { kind: 'replayed' }, `token ${index} is over`)
      if (index < 3) t.strictSame(await rotate(index + 1), repeated(at(4)), `token ${index + 1} is not`)
      await engine.pass(999)
    }
  })

  t.test('a rotation that is sent twice is answered twice and done once', async (t) => {
    const engine = await start(t)
    const { at, rotate, find } = await begun(engine)
    for (let index = 0; index < 3; index++) {
      t.strictSame(await rotate(index), rotated(at(index + 1)))
      const resent = await rotate(index, engine.other.refreshFamilies)
      t.strictSame(resent, repeated(at(index + 1)), 'the same token comes of it')
      t.strictSame(await find(), { userId: 'alice', currentDigest: at(index + 1) })
      await engine.pass(5_000)
    }
  })

  t.test('the first who rotates says what follows', async (t) => {
    const engine = await start(t)
    const { id, at, rotate, find } = await begun(engine)
    await rotate(0)
    t.strictSame(await engine.other.refreshFamilies.rotate(id, at(0), newDigest()), repeated(at(1)))
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(1) })
  })

  t.test('a token that never was the family’s is taken for one from long ago', async (t) => {
    const engine = await start(t)
    const { id, at, rotate, find } = await begun(engine)
    const foreign = () => engine.storage.refreshFamilies.rotate(id, newDigest(), newDigest())
    t.strictSame(await foreign(), { kind: 'replayed' }, 'before any rotation')
    for (let index = 0; index < 3; index++) await rotate(index)
    t.strictSame(await foreign(), { kind: 'replayed' }, 'and while all rotations are remembered')
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(3) })
  })

  t.test('a replay changes nothing: what it means is not the store’s to decide', async (t) => {
    const engine = await start(t)
    const { at, rotate, find } = await begun(engine)
    await rotate(0)
    await engine.pass(GRACE_MS + 1)
    for (let i = 0; i < 3; i++) t.strictSame(await rotate(0), { kind: 'replayed' })
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(1) })
    t.strictSame(await rotate(1), rotated(at(2)))
  })

  t.test('families do not disturb each other, even with the same tokens', async (t) => {
    const engine = await start(t)
    const { refreshFamilies: families } = engine.storage
    const [one, two] = [randomUUID(), randomUUID()]
    const [first, second, third] = times(3, newDigest) as [string, string, string]
    const until = engine.clock() + DAY_MS
    await families.begin(one, { userId: 'alice', currentDigest: first }, until)
    await families.begin(two, { userId: 'bob', currentDigest: first }, until)
    t.strictSame(await families.rotate(one, first, second), rotated(second))
    t.strictSame(await families.find(two), { userId: 'bob', currentDigest: first })
    await engine.pass(GRACE_MS + 1)
    t.strictSame(await families.rotate(one, first, third), { kind: 'replayed' })
    t.strictSame(await families.rotate(two, first, third), rotated(third))
    t.strictSame(await families.rotate(two, second, third), { kind: 'replayed' })
    t.strictSame(await families.find(one), { userId: 'alice', currentDigest: second })
  })

  t.test('every instance knows the same family', async (t) => {
    const { storage, other, ...rest } = await start(t)
    const { at, rotate } = await begun({ storage, other, ...rest })
    t.strictSame(await rotate(0, other.refreshFamilies), rotated(at(1)))
    t.strictSame(await rotate(0, storage.refreshFamilies), repeated(at(1)))
    t.strictSame(await rotate(1, storage.refreshFamilies), rotated(at(2)))
    t.strictSame(await rotate(0, other.refreshFamilies), repeated(at(2)))
  })
}

async function forgotten(t: Test, start: StartEngine): Promise<void> {
  t.test('the fifth token back is refused while it may have been rotated a moment ago, replayed after', async (t) => {
    const engine = await start(t)
    const { at, rotate, find } = await begun(engine)
    for (let index = 0; index < 5; index++) {
      await rotate(index)
      await engine.pass(1_000)
    }
    // The store no longer knows when token 0 was rotated, only that token 1 was rotated later, 4 s ago.
    t.strictSame(await rotate(0), { kind: 'refused' })
    t.strictSame(await rotate(1), repeated(at(5)), 'the fourth back is still known')
    await engine.pass(GRACE_MS - 4_000)
    t.strictSame(await rotate(0), { kind: 'refused' }, '30 s after the oldest that is remembered')
    await engine.pass(1)
    t.strictSame(await rotate(0), { kind: 'replayed' })
    t.strictSame(await rotate(1), { kind: 'replayed' })
    t.strictSame(await rotate(2), repeated(at(5)))
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(5) }, 'nothing of that has changed anything')
  })

  t.test('what was forgotten long ago is replayed, however fast the last rotations came', async (t) => {
    const engine = await start(t)
    const { rotate } = await begun(engine)
    await rotate(0)
    await rotate(1)
    await engine.pass(GRACE_MS + 1)
    for (let index = 2; index < 5; index++) await rotate(index)
    t.strictSame(await rotate(0), { kind: 'replayed' }, 'the oldest that is remembered is over')
    await rotate(5)
    t.strictSame(await rotate(1), { kind: 'refused' }, 'it is not any more: nothing tells 1 from one of a moment ago')
    await engine.pass(GRACE_MS + 1)
    t.strictSame(await rotate(1), { kind: 'replayed' })
  })

  t.test('with more than four rotations within the grace a made-up token is refused as well', async (t) => {
    const engine = await start(t)
    const { id, at, rotate, find } = await begun(engine)
    for (let index = 0; index < 10; index++) t.strictSame(await rotate(index), rotated(at(index + 1)))
    t.strictSame(await engine.storage.refreshFamilies.rotate(id, newDigest(), newDigest()), { kind: 'refused' })
    for (let index = 0; index < 6; index++) t.strictSame(await rotate(index), { kind: 'refused' }, `token ${index}`)
    for (let index = 6; index < 10; index++) t.strictSame(await rotate(index), repeated(at(10)), `token ${index}`)
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(10) })
  })
}

async function life(t: Test, start: StartEngine): Promise<void> {
  t.test('a family goes at the end of its life, and no rotation prolongs it', async (t) => {
    const engine = await start(t)
    const { id, at, rotate, find } = await begun(engine, { lifeMs: 600_000 })
    await engine.pass(300_000)
    t.strictSame(await rotate(0), rotated(at(1)))
    await engine.storage.refreshFamilies.begin(id, { userId: 'alice', currentDigest: at(9) }, engine.clock() + DAY_MS)
    // The check is a second early, because an engine may count lives by its own clock, which runs during the test.
    await engine.pass(299_000)
    t.strictSame(await rotate(1), rotated(at(2)))
    t.strictSame(await find(), { userId: 'alice', currentDigest: at(2) })
    await engine.pass(1_000)
    t.equal(await find(), undefined)
    t.strictSame(await rotate(2), { kind: 'unknown' })
    t.strictSame(await rotate(1), { kind: 'unknown' }, 'nor is a replay seen')
    t.equal(await find(), undefined, 'and nothing brings it back')
  })

  t.test('each family has a life of its own', async (t) => {
    const engine = await start(t)
    const [short, long] = [await begun(engine, { lifeMs: 10_000 }), await begun(engine, { lifeMs: 600_000 })]
    await engine.pass(10_000)
    t.equal(await short.find(), undefined)
    t.strictSame(await long.find(), { userId: 'alice', currentDigest: long.at(0) })
  })

  t.test('a family whose life is over may begin anew, with nothing of the old one', async (t) => {
    const engine = await start(t)
    const { id, at, rotate } = await begun(engine, { lifeMs: 10_000 })
    await rotate(0)
    await engine.pass(10_000)
    const { refreshFamilies: families } = engine.storage
    const next = { userId: 'bob', currentDigest: newDigest() }
    t.strictSame(await families.begin(id, next, engine.clock() + 10_000), next)
    t.strictSame(await families.rotate(id, at(0), at(1)), { kind: 'replayed' }, 'the old token leads nowhere')
    t.strictSame(await families.find(id), next)
  })
}

async function races(t: Test, start: StartEngine): Promise<void> {
  const alternate = (engine: Engine, index: number) => (index % 2 === 0 ? engine.storage : engine.other).refreshFamilies

  t.test('of 100 rotations of one token at once one rotates, and all are told the same token', async (t) => {
    const engine = await start(t)
    const { at, rotate, find } = await begun(engine)
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(times(100, (i) => rotate(round, alternate(engine, i))))
      t.strictSame(tally(answers.map(({ kind }) => kind)), { rotated: 1, repeated: 99 })
      const told = answers.map((answer) => ('currentDigest' in answer ? answer.currentDigest : ''))
      t.strictSame(tally(told), { [at(round + 1)]: 100 })
      t.strictSame(await find(), { userId: 'alice', currentDigest: at(round + 1) })
    }
  })

  t.test('of 100 who want different followers one is heard, and all are told that one', async (t) => {
    const engine = await start(t)
    const { id, at, find } = await begun(engine)
    const followers = times(100, newDigest)
    const answers = await Promise.all(followers.map((next, i) => alternate(engine, i).rotate(id, at(0), next)))
    t.strictSame(tally(answers.map(({ kind }) => kind)), { rotated: 1, repeated: 99 })
    const winner = followers[answers.findIndex(({ kind }) => kind === 'rotated')] as string
    t.ok(answers.every((answer) => 'currentDigest' in answer && answer.currentDigest === winner))
    t.strictSame(await find(), { userId: 'alice', currentDigest: winner })
  })

  t.test('of 100 beginnings at once one counts', async (t) => {
    const engine = await start(t)
    const [id, until] = [randomUUID(), engine.clock() + DAY_MS]
    const answers = await Promise.all(
      times(100, (i) =>
        alternate(engine, i).begin(id, { userId: `user ${i}`, currentDigest: `${i}`.padEnd(43, '-') }, until)
      )
    )
    t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1)
    t.strictSame(await engine.storage.refreshFamilies.find(id), answers[0])
  })

  t.test('a whole chain rotated at once moves as far as the order allows, and never back', async (t) => {
    const engine = await start(t)
    for (let round = 0; round < 10; round++) {
      const { at, rotate, find } = await begun(engine)
      const answers = await Promise.all(times(40, (i) => rotate(i % 4, alternate(engine, i))))
      const moves = answers.filter(({ kind }) => kind === 'rotated').length
      t.ok(moves >= 1 && moves <= 4, `${moves} rotations`)
      t.strictSame(await find(), { userId: 'alice', currentDigest: at(moves) })
    }
  })
}
