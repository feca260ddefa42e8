/** The contract of every engine's code grants: `lookAtCode` and `redeem` of src/core/grants/grant-store.ts. */
import type { Test } from 'tap'
import { BUILT_IN_TAG, codeTagOf, tagOf } from '../../src/core/clients/client.js'
import { decisionOf, type Engine, INTERVAL_MS, newDigest, requestOf, type StartEngine, tally, times } from './engine.js'

const LIFE_MS = 60_000
const RETENTION_MS = 300_000
const TAG = codeTagOf('cli')
const request = requestOf({
  ...{ codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', redirectUri: 'http://127.0.0.1:8080/', nonce: 'n' }
})
const decision = decisionOf({ signedInAtMs: 1_700_000_000_000 })

async function created({ storage: { grants } }: Engine) {
  const digest = newDigest()
  const create = () =>
    grants.create(digest, undefined, { request, clientTag: TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })
  await create()
  return {
    digest,
    create,
    approve: () => grants.decide(digest, decision),
    look: (tag = TAG) => grants.lookAtCode(digest, tag),
    redeem: (tag = TAG) => grants.redeem(digest, tag)
  }
}

export function codeGrantContract(t: Test, start: StartEngine): void {
  t.test('a code is redeemed once, with what was approved', async (t) => {
    const engine = await start(t)
    const code = await created(engine)
    const createdAtMs = engine.clock()
    await code.approve()
    const approved = { request, decision, createdAtMs }
    t.strictSame(await code.look(), { kind: 'open', ...approved })
    t.strictSame(await code.look(), { kind: 'open', ...approved }, 'looking changes nothing')
    t.equal(await code.redeem(), 'collected')
    t.equal(await code.redeem(), 'spent')
    t.strictSame(await code.look(), { kind: 'spent', ...approved })
    t.equal((await code.approve()).kind, 'repeated', 'the decision can still be repeated')
    t.equal(await code.create(), 'created')
    t.equal(await code.redeem(), 'spent', 'which does not make the code good again')
  })

  t.test('a code that nobody has decided yet begins its life anew, and one that is decided does not', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const code = await created(engine)
    for (const ms of [LIFE_MS - 1, LIFE_MS, LIFE_MS + RETENTION_MS]) {
      await engine.pass(ms)
      await code.create()
      const found = await grants.get(code.digest)
      t.match(found, { state: 'pending', createdAtMs: engine.clock(), expiresAtMs: engine.clock() + LIFE_MS })
    }
    await engine.pass(LIFE_MS - 1)
    t.equal((await code.approve()).kind, 'decided')
    await code.create()
    await engine.pass(1)
    t.equal(await code.redeem(), 'unknown')

    const [device, tag] = [newDigest(), newDigest()]
    const one = { request: requestOf(), clientTag: tagOf('cli'), lifeMs: LIFE_MS, intervalMs: INTERVAL_MS }
    await grants.create(device, tag, one)
    await engine.pass(LIFE_MS)
    await grants.create(device, tag, one)
    t.equal((await grants.get(device))?.state, 'resolved', 'nor does the grant of a device')
  })

  t.test('what is not approved is not redeemed', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const code = await created(engine)
    t.equal(await code.redeem(), 'unknown')
    t.strictSame(await code.look(), { kind: 'unknown' })
    t.equal((await grants.get(code.digest))?.state, 'pending', 'and stays as it is')
    await grants.decide(code.digest, { ...decision, action: 'deny' })
    t.equal(await code.redeem(), 'unknown')
    t.equal(await grants.redeem(newDigest(), TAG), 'unknown')
    t.equal(await grants.get(newDigest()), undefined)
  })

  t.test('a code lives for its life, and its use is remembered for as long as any grant', async (t) => {
    const engine = await start(t)
    const [late, used] = [await created(engine), await created(engine)]
    await late.approve()
    await used.approve()
    await engine.pass(LIFE_MS - 1)
    t.equal(await used.redeem(), 'collected', 'in its last moment')
    await engine.pass(1)
    t.equal(await late.redeem(), 'unknown')
    t.strictSame(await late.look(), { kind: 'unknown' })
    t.equal((await used.look()).kind, 'spent')
    await engine.pass(RETENTION_MS - 1)
    t.equal(await used.redeem(), 'spent')
    await engine.pass(1)
    t.equal(await used.redeem(), 'unknown')
    t.strictSame(await used.look(), { kind: 'unknown' })
  })

  t.test('a code is unknown to every other client, and to whoever polls, collects or withdraws', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const code = await created(engine)
    await code.approve()
    for (const tag of [tagOf('cli'), codeTagOf('mcp'), BUILT_IN_TAG, '.', '']) {
      t.equal(await code.redeem(tag), 'unknown', tag)
      t.strictSame(await code.look(tag), { kind: 'unknown' }, tag)
    }
    for (const tag of [tagOf('cli'), tagOf('acme'), BUILT_IN_TAG]) {
      t.strictSame(await grants.poll(code.digest, tag), { kind: 'unknown' })
      t.strictSame(await grants.withdraw(code.digest, tag), { kind: 'unknown' })
    }
    t.equal(await code.redeem(), 'collected')
  })

  t.test('of many redemptions on two instances one collects', async (t) => {
    const engine = await start(t)
    const code = await created(engine)
    await code.approve()
    const stores = [engine.storage.grants, engine.other.grants]
    const answers = await Promise.all(
      times(200, (i) => (stores[i % 2] as (typeof stores)[0])?.redeem(code.digest, TAG) ?? '')
    )
    t.strictSame(tally(answers), { collected: 1, spent: 199 })
  })
}
