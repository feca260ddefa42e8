/** The contract of what every engine keeps of the webhooks: src/core/webhooks/webhook-state.ts over its records and locks. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { FailedDelivery } from '../../src/core/webhooks/delivery.js'
import { createHeld } from '../../src/core/webhooks/held-deliveries.js'
import { FAILED_KEPT_MS, MOST_FAILED } from '../../src/core/webhooks/webhook-changes.js'
import { createWebhookState } from '../../src/core/webhooks/webhook-state.js'
import { type StartEngine, times } from './engine.js'

async function setUp(t: Test, start: StartEngine) {
  const engine = await start(t)
  const endpointId = randomUUID()
  const [one, other] = [engine.storage, engine.other].map(({ webhooks }) => createWebhookState(webhooks, engine.clock))
  const deliveryOf = (order: number): FailedDelivery => ({
    ...{ id: `1-${order}_${endpointId}`, order, attempts: 1, lastOutcome: 'refused' },
    event: { id: `1-${order}`, atMs: 1, type: 'grant.started', actor: 'service' },
    ...{ takenAtMs: engine.clock(), nextAtMs: engine.clock(), failedAtMs: engine.clock() }
  })
  return {
    ...engine,
    one: one as NonNullable<typeof one>,
    other: other as NonNullable<typeof other>,
    endpointId,
    deliveryOf
  }
}

export function webhookStateContract(t: Test, start: StartEngine): void {
  t.test('the newest leader alone moves a cursor, stops an endpoint and notes gaps', async (t) => {
    const { one, other, endpointId } = await setUp(t, start)
    const cursorOf = (eventId: string) => [{ kind: 'cursor', cursor: { eventId, atMs: 1 } }] as const
    t.equal((await one.state(endpointId)).cursor, undefined)
    const old = await one.claim(endpointId, 'old')
    t.equal(await one.write(endpointId, old, cursorOf('1-1')), 'written')
    const next = await other.claim(endpointId, 'next')
    t.ok(next > old)
    t.equal(await other.write(endpointId, next, cursorOf('1-9')), 'written')
    t.equal(await one.write(endpointId, old, cursorOf('1-2')), 'stale')
    t.equal(await one.write(endpointId, old, [{ kind: 'stop', atMs: 5 }]), 'stale')
    t.equal(await one.write(endpointId, old, [{ kind: 'gaps', gaps: [{ fromMs: 1, untilMs: 2 }] }]), 'stale')
    const { wake, ...state } = await one.state(endpointId)
    t.same(state, { cursor: { eventId: '1-9', atMs: 1 }, stoppedAtMs: undefined, resumedAtMs: undefined, gaps: [] })
  })

  t.test('of 20 that claim at once each has a token of its own, and the greatest one counts', async (t) => {
    const { one, other, endpointId } = await setUp(t, start)
    const tokens = await Promise.all(times(20, (i) => (i % 2 === 0 ? one : other).claim(endpointId, `${i}`)))
    t.equal(new Set(tokens).size, 20)
    const newest = Math.max(...tokens)
    const written = await Promise.all(
      tokens.map(async (token) => [token, await one.write(endpointId, token, [{ kind: 'stop', atMs: token }])] as const)
    )
    t.same(
      written.filter(([, answer]) => answer === 'written').map(([token]) => token),
      [newest]
    )
    t.equal((await other.state(endpointId)).stoppedAtMs, newest)
  })

  t.test(
    'what waits is listed in its order, with what has become of it, until it is delivered or given up',
    async (t) => {
      const { one, other, endpointId, deliveryOf } = await setUp(t, start)
      const token = await one.claim(endpointId, 'one')
      const [third, first, second] = [deliveryOf(3), deliveryOf(1), deliveryOf(2)].map(
        ({ failedAtMs, ...rest }) => rest
      )
      if (!first || !second || !third) throw new Error('three deliveries')
      const hold = [third, first, second].map((delivery) => ({ kind: 'hold', delivery }) as const)
      await one.write(endpointId, token, [...hold, ...hold])
      t.same(await other.held(endpointId), [first, second, third])
      const again = { ...second, attempts: 2 }
      await one.write(endpointId, token, [
        { kind: 'hold', delivery: again },
        { kind: 'drop', delivery: first },
        { kind: 'fail', delivery: { ...third, failedAtMs: 9 } }
      ])
      t.same(await other.held(endpointId), [again])
      t.same(await other.failed(endpointId), [{ ...third, failedAtMs: 9 }])
      t.same(await other.counts(endpointId), { waiting: 1, failed: 1 })
    }
  )

  t.test('who was paused changes nothing of what a newer leader has taken over, and takes nothing away', async (t) => {
    const { one, other, endpointId, deliveryOf, storage } = await setUp(t, start)
    const old = await one.claim(endpointId, 'old')
    const [first, second, third] = times(3, (i) => {
      const { failedAtMs, ...delivery } = deliveryOf(i + 1)
      return delivery
    })
    if (!first || !second || !third) throw new Error('three deliveries')
    await one.write(endpointId, old, [
      { kind: 'hold', delivery: first },
      { kind: 'hold', delivery: second }
    ])
    const next = await other.claim(endpointId, 'next')
    t.same(await other.takeOver(endpointId, next), [first, second])
    t.same(await other.takeOver(endpointId, next), [], 'once')
    t.equal(await one.takeOver(endpointId, old), 'stale')
    // The look at the token lies before these writes, so they are made as if it had been a moment ago.
    const late = createHeld(storage.webhooks, storage.webhooks, () => 0)
    t.equal(await late.hold(endpointId, old, { ...first, attempts: 9 }), 'stale')
    await late.drop(endpointId, old, second.id)
    t.same(await other.held(endpointId), [first, second])
    for (const change of [
      { kind: 'hold', delivery: third } as const,
      { kind: 'drop', delivery: first } as const,
      { kind: 'fail', delivery: { ...second, failedAtMs: 9 } } as const
    ])
      t.equal(await one.write(endpointId, old, [change]), 'stale', change.kind)
    t.same(await other.held(endpointId), [first, second])
    t.same(await other.failed(endpointId), [])
    t.equal(await other.write(endpointId, next, [{ kind: 'drop', delivery: first }]), 'written')
    t.same(await other.held(endpointId), [second])
  })

  t.test('of two that take over at once the newer one has everything in the end', async (t) => {
    const { one, other, endpointId, deliveryOf } = await setUp(t, start)
    const first = await one.claim(endpointId, 'first')
    await one.write(
      endpointId,
      first,
      times(60, (i) => ({ kind: 'hold', delivery: deliveryOf(i + 1) }) as const)
    )
    const [second, third] = [await one.claim(endpointId, 'second'), await other.claim(endpointId, 'third')]
    const [, all] = await Promise.all([one.takeOver(endpointId, second), other.takeOver(endpointId, third)])
    t.equal(all.length, 60)
    t.equal(await one.takeOver(endpointId, second), 'stale')
    t.same(await other.takeOver(endpointId, third), [])
  })

  t.test('a failed delivery is sent again once, after what waits, and the deliverer is woken', async (t) => {
    const { one, other, endpointId, deliveryOf, clock } = await setUp(t, start)
    const token = await one.claim(endpointId, 'one')
    const failed = { ...deliveryOf(1), takenAtMs: 5, attempts: 80 }
    await one.write(endpointId, token, [
      { kind: 'hold', delivery: deliveryOf(2) },
      { kind: 'fail', delivery: failed }
    ])
    await one.write(endpointId, token, [{ kind: 'stop', atMs: 7 }])
    t.same(await Promise.all([other.resend(endpointId, failed.id), other.resend(endpointId, 'another')]), [true, false])
    t.equal(await other.resend(endpointId, failed.id), false)
    t.match(await one.held(endpointId), [{ attempts: 1 }, { id: failed.id, attempts: 0, takenAtMs: clock() }])
    t.same(await one.failed(endpointId), [])
    await other.wake(endpointId, 'mark', false)
    t.match(await one.state(endpointId), { wake: 'mark', stoppedAtMs: 7, resumedAtMs: undefined })
    await other.wake(endpointId, 'next mark', true)
    t.match(await one.state(endpointId), { wake: 'next mark', stoppedAtMs: undefined, resumedAtMs: clock() })
  })

  t.test('what was sent again stays so when what was known before is written once more', async (t) => {
    const { one, other, endpointId, deliveryOf, clock, storage } = await setUp(t, start)
    const token = await one.claim(endpointId, 'one')
    const failed = { ...deliveryOf(1), takenAtMs: 5, attempts: 80 }
    const { failedAtMs, ...waited } = failed
    const known = [
      { kind: 'hold', delivery: waited },
      { kind: 'fail', delivery: failed }
    ] as const
    const anew = { ...waited, takenAtMs: clock(), nextAtMs: clock(), order: clock(), attempts: 0 }
    const stays = async (message: string) =>
      t.same([await other.held(endpointId), await other.failed(endpointId)], [[anew], []], message)
    t.equal(await one.write(endpointId, token, known), 'written')
    t.equal(await other.resend(endpointId, failed.id), true)
    t.equal(await one.write(endpointId, token, known), 'written', 'as after an answer that was lost')
    await stays('as the operator was told')
    t.same(await one.takeOver(endpointId, token), [anew])
    t.equal(await one.write(endpointId, token, known), 'written')
    await stays('also where its leader has it')
    await other.takeOver(endpointId, await other.claim(endpointId, 'next'))
    const late = createHeld(storage.webhooks, storage.webhooks, () => 0)
    t.equal(await late.hold(endpointId, token, waited), 'stale')
    await stays('and where the next leader has it')
  })

  t.test('the newest failed deliveries are kept, for their time', async (t) => {
    const { one, endpointId, deliveryOf, pass } = await setUp(t, start)
    const token = await one.claim(endpointId, 'one')
    const fail = (order: number) => one.write(endpointId, token, [{ kind: 'fail', delivery: deliveryOf(order) }])
    for (let order = 1; order <= 3; order++) await fail(order)
    await pass(FAILED_KEPT_MS / 2)
    for (let order = 4; order <= MOST_FAILED + 2; order++) await fail(order)
    const kept = (await one.failed(endpointId)).map(({ order }) => order)
    t.same([kept.length, kept[0], kept.at(-1)], [MOST_FAILED, 3, MOST_FAILED + 2])
    await pass(FAILED_KEPT_MS / 2 + 60_000)
    t.equal((await one.counts(endpointId)).failed, MOST_FAILED - 1)
  })
}
