/** The deliveries to one endpoint, over memory, with a receiver that is a function and a clock that the test turns. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { AuditEvent, Told } from '../../../src/core/audit/event.js'
import { CLOCKS_DIFFER_MS } from '../../../src/core/clock.js'
import { fault } from '../../../src/core/fault.js'
import { ATTEMPTS_AT_ONCE } from '../../../src/core/webhooks/attempts.js'
import { createDeliverer } from '../../../src/core/webhooks/deliverer.js'
import {
  type Attempted,
  type Delivery,
  GIVE_UP_AFTER_MS,
  type Outcome,
  restAfter
} from '../../../src/core/webhooks/delivery.js'
import { createEndpointDeliveries, MOST_WAITING } from '../../../src/core/webhooks/endpoint-deliveries.js'
import { createWebhookState } from '../../../src/core/webhooks/webhook-state.js'
import { createMemoryStorage } from '../../../src/storage/memory/index.js'
import { testClock } from '../../support/app.js'

const DAY_MS = 86_400_000
const endpoint = { id: 'billing', url: 'https://a.example', secrets: [], types: ['*'], isInternal: false }

type Answer = Outcome | Attempted
type Receiver = (delivery: Delivery) => Answer | Promise<Answer>
const attempted = (answer: Answer): Attempted => (typeof answer === 'string' ? { outcome: answer } : answer)

async function setUp(t: Test, { types = ['*'], eventsKept = 10_000 } = {}) {
  const clock = testClock()
  const storage = createMemoryStorage(clock, { eventsKept })
  t.teardown(() => storage.close())
  const records = { ...storage.webhooks }
  const state = createWebhookState(records, clock)
  const said: string[] = []
  const sent: string[] = []
  const parts = { clock, trail: storage.events, state, isLeading: () => true, beginsAtMs: clock() }
  const told = {
    webhookAttempted: (_id: string, outcome: Outcome) => void said.push(outcome),
    webhookTurned: (_id: string, ...how: string[]) => void said.push(`turned ${how.filter(Boolean).join(' ')}`),
    webhookGivenUp: () => void said.push('given up'),
    webhookGap: () => void said.push('gap'),
    webhooksFailed: (error: unknown) => void said.push(`broken: ${(error as Error).message}`)
  }
  const receiver: { answers: Receiver } = { answers: () => 'delivered' }

  /** An instance takes the lead. */
  async function lead(leader: string) {
    const losses: string[] = []
    const deliveries = createEndpointDeliveries({
      ...{ ...parts, endpoint: { ...endpoint, types }, told, leader, lost: () => void losses.push(leader) },
      async send(_endpoint, delivery) {
        sent.push(delivery.event.detail ?? '')
        return attempted(await receiver.answers(delivery))
      }
    })
    t.teardown(() => deliveries.end())
    /** Steps until nothing is under way and nothing new is begun. */
    const goOn = async () => {
      for (let before = -1; before !== sent.length; ) {
        before = sent.length
        while (await deliveries.step()) {}
        await settled()
      }
    }
    const settled = async () => {
      await deliveries.settled()
      await new Promise((resolve) => setImmediate(resolve))
      await deliveries.settled()
    }
    return { ...deliveries, goOn, losses }
  }

  const add = (...events: (Partial<Told> & { detail: string })[]) =>
    storage.events.add(
      events.map((event) => ({ type: 'authorization.renamed', actor: 'service', ...event })),
      clock()
    )
  return { clock, storage, records, state, add, lead, sent, said, receiver }
}

/** Events of one authorization, in this order. */
const of = (authorizationId: string, ...details: string[]) => details.map((detail) => ({ authorizationId, detail }))

t.test('every event of the wanted types is sent once, in order, and the cursor follows', async (t) => {
  const { add, lead, sent, state } = await setUp(t, { types: ['authorization.*', 'user.blocked'] })
  const leader = await lead('one')
  await add(...of('a', '1', '2'), { type: 'grant.shown', detail: 'unwanted' }, ...of('a', '3'))
  await add({ type: 'user.blocked', detail: 'exact' }, { type: 'user.unblocked', detail: 'unwanted' })
  await leader.goOn()
  t.same(sent.toSorted(), ['1', '2', '3', 'exact'])
  t.same(
    sent.filter((one) => one !== 'exact'),
    ['1', '2', '3']
  )
  await (await lead('two')).goOn()
  t.equal(sent.length, 4, 'the next leader goes on behind them')
  t.match((await state.state('billing')).cursor?.eventId, /-6$/, 'also behind what nobody wanted')
})

t.test(
  'what fails holds back what comes after it, of its authorization and of its grant, and nobody else',
  async (t) => {
    const { add, lead, sent, receiver, clock } = await setUp(t)
    const leader = await lead('one')
    let isWell = false
    receiver.answers = ({ event }) => (event.detail === 'started' && !isWell ? 'refused' : 'delivered')
    await add(
      { type: 'grant.started', grantId: 'g', detail: 'started' },
      { type: 'grant.approved', grantId: 'g', authorizationId: 'a', detail: 'approved' },
      { type: 'authorization.revoked', authorizationId: 'a', userId: 'ann', detail: 'revoked' },
      ...of('b', 'another'),
      { type: 'user.blocked', userId: 'ann', detail: 'user' }
    )
    await leader.goOn()
    t.same(sent, ['started', 'another', 'user'])
    isWell = true
    await leader.goOn()
    t.equal(sent.length, 3, 'it rests before the next attempt')
    clock.advance(7_000)
    await leader.goOn()
    t.same(sent.slice(3), ['started', 'approved', 'revoked'])
  }
)

t.test('what waits survives the leader: attempts, times and order', async (t) => {
  const { add, lead, sent, receiver, clock, state } = await setUp(t)
  const first = await lead('one')
  receiver.answers = ({ event }) => (event.authorizationId === 'a' ? 'unreachable' : 'delivered')
  await add(...of('a', '1', '2'), ...of('b', 'b'))
  await first.goOn()
  await first.end()
  t.same(sent, ['1', 'b'])

  const second = await lead('two')
  await add(...of('a', '3'))
  await second.goOn()
  t.same(sent, ['1', 'b'], 'nothing is sent before its time')
  const [held] = await state.held('billing')
  t.match(held, { attempts: 1, lastOutcome: 'unreachable' })
  clock.advance(7_000)
  await second.goOn()
  t.same(sent, ['1', 'b', '1'])
  t.equal((await state.held('billing'))[0]?.attempts, 2)
  receiver.answers = () => 'delivered'
  clock.advance(13_000)
  await second.goOn()
  t.same(sent.slice(3), ['1', '2', '3'])
  t.same(await state.held('billing'), [])
})

t.test('a failure is tried again for three days, ever less often, and then given up', async (t) => {
  const { add, lead, sent, said, receiver, clock, state } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = ({ event }) => (event.detail === '1' ? 'refused' : 'delivered')
  await add(...of('a', '1', '2'))
  const startedAt = clock()
  const times: number[] = []
  while (!said.includes('given up')) {
    await leader.goOn()
    times.push(clock() - startedAt)
    const [next] = await state.held('billing')
    if (!next) break
    clock.advance(next.nextAtMs - clock() - 1)
    const before = sent.length
    await leader.goOn()
    t.equal(sent.length, before, 'not before its time')
    clock.advance(1)
  }
  const rests = times.slice(1).map((at, i) => at - (times[i] ?? 0))
  t.ok(rests[0] && rests[0] >= 4_000 && rests[0] <= 6_000, `first ${rests[0]} ms`)
  t.ok(Math.max(...rests) <= 1.2 * 3_600_000, 'an hour at most, and a fifth')
  t.ok(times.length > 60 && times.length < 110, `${times.length} attempts`)
  const last = times.at(-1) ?? 0
  t.ok(last > 2.9 * DAY_MS && last <= GIVE_UP_AFTER_MS, `the last one after ${last / DAY_MS} days`)
  t.same(sent.at(-1), '2', 'what waited behind it is sent')
  t.match(await state.failed('billing'), [{ event: { detail: '1' }, lastOutcome: 'refused', attempts: times.length }])
  t.equal(leader.status().failed, 1)

  t.test('and sent again if an operator wants it, under its id', async (t) => {
    const ids: string[] = []
    receiver.answers = ({ id }) => {
      ids.push(id)
      return { outcome: 'delivered' }
    }
    const [failed] = await state.failed('billing')
    t.equal(await state.resend('billing', failed?.id ?? ''), true)
    t.equal(await state.resend('billing', failed?.id ?? ''), false, 'which is there once')
    await state.wake('billing', 'now', false)
    clock.advance(2_000)
    await leader.goOn()
    t.same(ids, [failed?.id])
    t.same([await state.failed('billing'), await state.held('billing')], [[], []])
  })
})

t.test('what an operator sends again is sent once, also where its take-over was answered by nobody', async (t) => {
  const { add, lead, sent, receiver, clock, state, records } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = () => 'refused'
  const all = Array.from({ length: 60 }, (_, i) => `${i}`)
  await add(...all.flatMap((detail) => of(`of ${detail}`, detail)))
  await leader.goOn()
  clock.advance(4 * DAY_MS)
  await leader.goOn()
  const failed = await state.failed('billing')
  t.equal(failed.length, 60)
  receiver.answers = () => 'delivered'
  sent.length = 0
  for (const { id } of failed) t.ok(await state.resend('billing', id))
  await state.wake('billing', 'again', false)

  // One of the first batch: the change is made, and its answer is lost. Then a batch after the first cannot be read.
  const { change, page } = records
  records.change = async (...one) => {
    await change(...one)
    records.change = change
    throw fault('unavailable', { detail: 'nobody answers' })
  }
  clock.advance(2_000)
  await t.rejects(leader.step(), { code: 'unavailable' })
  records.page = async (parent, options) => {
    if (options.after === undefined) return page(parent, options)
    records.page = page
    throw fault('unavailable', { detail: 'nobody answers' })
  }
  clock.advance(2_000)
  await t.rejects(leader.step(), { code: 'unavailable' })
  t.same(sent, [])
  clock.advance(2_000)
  await leader.goOn()
  t.same(sent.toSorted(), all.toSorted())
  await state.wake('billing', 'and again', false)
  clock.advance(2_000)
  await leader.goOn()
  t.equal(sent.length, 60, 'once')
  t.same([await state.failed('billing'), await state.held('billing')], [[], []])
})

t.test(
  'what is sent again in the moment in which it is given up stays listed, and is sent at the next try',
  async (t) => {
    const { add, lead, sent, receiver, clock, state, records } = await setUp(t)
    const leader = await lead('one')
    receiver.answers = () => 'refused'
    await add(...of('a', '1'))
    await leader.goOn()
    clock.advance(4 * DAY_MS)
    const { create } = records
    const resent: boolean[] = []
    records.create = async (parent, id, ...rest) => {
      const created = await create(parent, id, ...rest)
      if (parent !== 'failed billing') return created
      records.create = create
      resent.push(await state.resend('billing', id))
      return created
    }
    await leader.goOn()
    t.same(resent, [false], 'it still waits there')
    const [failed] = await state.failed('billing')
    t.equal(failed?.event.detail, '1')
    t.same(await state.held('billing'), [])
    receiver.answers = () => 'delivered'
    sent.length = 0
    t.equal(await state.resend('billing', failed?.id ?? ''), true)
    await state.wake('billing', 'again', false)
    clock.advance(2_000)
    await leader.goOn()
    t.same(sent, ['1'])
  }
)

t.test('what is sent again stays so where nobody answered that it was given up, and is given up once', async (t) => {
  const { add, lead, sent, receiver, clock, state, records } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = () => 'refused'
  await add(...of('a', '1'))
  await leader.goOn()
  clock.advance(4 * DAY_MS)
  const { change } = records
  /** The next delivery that goes from what waits is gone, which nobody answers. */
  const loseNextAnswer = (meanwhile = async (_id: string) => {}) => {
    const { delete: remove } = records
    records.delete = async (parent, id, onlyIf) => {
      await remove(parent, id, onlyIf)
      if (parent !== 'held billing') return
      records.delete = remove
      await meanwhile(id)
      throw fault('unavailable', { detail: 'nobody answers' })
    }
  }
  const resent: boolean[] = []
  loseNextAnswer(async (id) => {
    resent.push(await state.resend('billing', id))
    await state.wake('billing', 'again', false)
    // Nothing can be saved, as every save begins with this.
    records.change = async (parent, ...rest) => {
      if (parent === 'endpoints') throw fault('unavailable', { detail: 'nobody answers' })
      return change(parent, ...rest)
    }
  })
  await leader.goOn()
  t.same(resent, [true])
  receiver.answers = () => 'delivered'
  sent.length = 0
  clock.advance(2_000)
  await leader.goOn()
  t.same(sent, [], 'before it is saved that it was given up')
  records.change = change
  loseNextAnswer()
  for (let i = 0; i < 3; i++) {
    clock.advance(2_000)
    await leader.goOn()
  }
  t.same(sent, ['1'])
  t.same([await state.failed('billing'), await state.held('billing')], [[], []])
})

t.test('410 stops the endpoint, for every leader, until an operator lets it go on', async (t) => {
  const { add, lead, sent, said, receiver, clock, state } = await setUp(t)
  const first = await lead('one')
  receiver.answers = () => 'gone'
  await add(...of('a', '1', '2'))
  await first.goOn()
  await add(...of('b', '3'))
  clock.advance(DAY_MS)
  await first.goOn()
  t.same(sent, ['1'])
  t.same(said, ['gone', 'turned gone'])
  t.ok(first.status().isStopped)
  await first.end()
  receiver.answers = () => 'delivered'
  const second = await lead('two')
  await second.goOn()
  t.same(sent, ['1'])
  await state.wake('billing', 'on', true)
  clock.advance(2_000)
  await second.goOn()
  t.same(
    sent.filter((one) => one !== '3'),
    ['1', '1', '2']
  )
  t.ok(sent.includes('3'))
  t.notOk(second.status().isStopped)
})

t.test('so much may wait and no more: then the endpoint reads on when there is room, and misses nothing', async (t) => {
  const { add, lead, sent, receiver, clock, state } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = () => 'timed_out'
  const all = Array.from({ length: MOST_WAITING + 250 }, (_, i) => `${i}`)
  await add(...all.flatMap((detail) => of(`of ${detail}`, detail)))
  await leader.goOn()
  t.equal(new Set(sent).size, MOST_WAITING)
  t.equal((await state.held('billing')).length, MOST_WAITING)
  receiver.answers = () => 'delivered'
  sent.length = 0
  clock.advance(7_000)
  await leader.goOn()
  t.same(sent.toSorted(), all.toSorted())
})

t.test('so many attempts are under way at a time', async (t) => {
  const { add, lead, sent, receiver } = await setUp(t)
  const leader = await lead('one')
  const answers: ((outcome: Outcome) => void)[] = []
  receiver.answers = () => new Promise((resolve) => answers.push(resolve))
  const all = Array.from({ length: 3 * ATTEMPTS_AT_ONCE }, (_, i) => `${i}`)
  await add(...all.flatMap((detail) => of(`of ${detail}`, detail)))
  await leader.step()
  await leader.step()
  t.equal(sent.length, ATTEMPTS_AT_ONCE)
  receiver.answers = () => 'delivered'
  for (const answer of answers) answer('delivered')
  await leader.goOn()
  t.same(sent.toSorted(), all.toSorted())
})

t.test('events that the trail drops before an endpoint has them are told, and the others are sent', async (t) => {
  const { add, lead, sent, said, receiver, clock, state } = await setUp(t, { eventsKept: 100 })
  const leader = await lead('one')
  await add(...of('a', 'before'))
  await leader.goOn()
  receiver.answers = () => 'gone'
  await add(...of('a', 'stops'))
  await leader.goOn()
  const stoppedAt = clock()
  clock.advance(60_000)
  for (let i = 0; i < 300; i++) await add(...of('a', `${i}`))
  receiver.answers = () => 'delivered'
  await state.wake('billing', 'on', true)
  await leader.goOn()
  t.ok(sent.length > 100 && sent.length < 300, `${sent.length} sent`)
  t.same(sent.slice(-3), ['297', '298', '299'])
  t.equal(said.filter((one) => one === 'gap').length, 1)
  t.same((await state.state('billing')).gaps, [{ fromMs: stoppedAt, untilMs: stoppedAt + 60_000 }])
})

t.test('an endpoint that keeps up has no gap, however few events are kept', async (t) => {
  const { add, lead, sent, said } = await setUp(t, { eventsKept: 10 })
  const leader = await lead('one')
  for (let i = 0; i < 400; i++) {
    await add(...of('a', `${i}`))
    await leader.goOn()
  }
  t.equal(sent.length, 400)
  t.notOk(said.includes('gap'))
})

t.test('a new endpoint gets what happens from the start of the service on', async (t) => {
  const { add, lead, sent, clock, storage, state } = await setUp(t)
  for (let i = 0; i < 500; i++) await storage.events.add([{ type: 'user.blocked', actor: 'service' }], clock() - 1_000)
  await add(...of('a', '1'))
  clock.advance(5_000)
  await (await lead('one')).goOn()
  t.same(sent, ['1'])
  t.ok((await state.state('billing')).cursor)
})

t.test('a leader that was paused cannot move the cursor back, and leaves when it finds out', async (t) => {
  const { add, lead, sent, receiver, state } = await setUp(t)
  const old = await lead('old')
  await add(...of('a', '1'))
  await old.goOn()
  let answer: (outcome: Outcome) => void = () => {}
  receiver.answers = () => new Promise((resolve) => (answer = resolve))
  await add(...of('a', '2'))
  await old.step()
  receiver.answers = () => 'delivered'
  const next = await lead('next')
  await add(...of('a', '3', '4'))
  await next.goOn()
  const { cursor } = await state.state('billing')
  t.match(cursor?.eventId, /-4$/)
  answer('delivered')
  await old.settled()
  await new Promise((resolve) => setImmediate(resolve))
  await old.settled()
  t.same((await state.state('billing')).cursor, cursor, 'what it knows is old')
  t.same(old.losses, ['old'])
  t.same(sent, ['1', '2', '2', '3', '4'], 'at least once')
})

t.test('what an old leader still knows of what waits is refused, and nothing of it is lost', async (t) => {
  const { add, lead, sent, receiver, clock, state } = await setUp(t)
  const old = await lead('old')
  receiver.answers = () => 'refused'
  await add(...of('a', '1', '2'), ...of('b', '3'))
  await old.goOn()
  clock.advance(7_000)
  const answers: ((outcome: Outcome) => void)[] = []
  receiver.answers = () => new Promise((resolve) => answers.push(resolve))
  await old.step()
  receiver.answers = () => 'refused'
  const next = await lead('next')
  await next.goOn()
  const held = await state.held('billing')
  t.same(
    held.map(({ event, attempts }) => [event.detail, attempts]),
    [
      ['1', 2],
      ['2', 0],
      ['3', 2]
    ]
  )
  for (const answer of answers) answer('delivered')
  receiver.answers = () => 'delivered'
  await old.settled()
  t.same(await state.held('billing'), held, 'it does not drop what the next one tries')
  t.same(old.losses, ['old'])
  await old.end()
  clock.advance(13_000)
  await next.goOn()
  t.same(sent.slice(-3).toSorted(), ['1', '2', '3'])
  t.same(await state.held('billing'), [])
})

t.test('what waits has three days anew when an operator lets the endpoint go on', async (t) => {
  const { add, lead, said, receiver, clock, state } = await setUp(t)
  const first = await lead('one')
  receiver.answers = () => 'gone'
  await add(...of('a', '1'))
  await first.goOn()
  clock.advance(5 * DAY_MS)
  receiver.answers = () => 'refused'
  await state.wake('billing', 'on', true)
  await first.goOn()
  t.same(said.at(-1), 'refused')
  await first.end()
  const second = await lead('two')
  clock.advance(DAY_MS)
  await second.goOn()
  t.match(await state.held('billing'), [{ event: { detail: '1' }, attempts: 3 }], 'for the next leader, too')
  clock.advance(2.1 * DAY_MS)
  await second.goOn()
  t.equal(said.at(-1), 'given up')
})

t.test('a trail that has lost its end is read again from a little before, and what waits is kept', async (t) => {
  const { add, lead, sent, said, receiver, clock, state, storage } = await setUp(t)
  const lost = new Set<string>()
  const ids = new Map<string, string>()
  const events = { ...storage.events }
  /** As after a failover to a replica that lacked some events, and whose clock is behind: new ones have ids of before. */
  const asItIs = (event: AuditEvent) => ({ ...event, id: ids.get(event.detail ?? '') ?? event.id })
  const all = async () => {
    const page = await events.after(undefined, 200)
    const rest = page.events.filter(({ detail }) => !lost.has(detail ?? '')).map(asItIs)
    return rest.sort((a, b) => Number(a.id.split('-')[1]) - Number(b.id.split('-')[1]))
  }
  const numberOf = (id: string) => Number(id.split('-')[1])
  storage.events.after = async (id, most) => {
    const found = (await all()).filter((event) => id === undefined || numberOf(event.id) > numberOf(id))
    return { events: found.slice(0, most), next: found.length > most ? found[most - 1]?.id : undefined }
  }
  storage.events.before = async (id, most) => {
    const found = (await all()).reverse().filter((event) => id === undefined || numberOf(event.id) < numberOf(id))
    return { events: found.slice(0, most), next: found.length > most ? found[most - 1]?.id : undefined }
  }
  const leader = await lead('one')
  receiver.answers = ({ event }) => (event.detail === 'waits' ? 'refused' : 'delivered')
  await add(...of('a', '1'))
  clock.advance(200_000)
  await add(...of('a', '2'), ...of('b', 'waits'), ...of('a', '3', '4'))
  await leader.goOn()
  t.same(sent.toSorted(), ['1', '2', '3', '4', 'waits'])

  for (const detail of ['3', '4']) lost.add(detail)
  const [held] = await state.held('billing')
  await storage.webhooks.delete('held billing', held?.id ?? '')
  clock.advance(1_000)
  // Told by an instance whose clock is as far behind as it may be.
  const told: Told[] = of('c', 'new', 'newer').map((event) => ({
    type: 'authorization.renamed',
    actor: 'service',
    ...event
  }))
  await storage.events.add(told, clock() - CLOCKS_DIFFER_MS)
  ids.set('new', '1-3.5')
  ids.set('newer', '1-3.7')
  sent.length = 0
  await leader.goOn()
  t.same(sent, ['2', 'new', 'newer'], 'also where the new ids are less than the cursor')
  t.match(await state.held('billing'), [{ event: { detail: 'waits' } }], 'what was lost with them is known')

  for (const detail of ['new', 'newer']) lost.add(detail)
  clock.advance(1_000)
  await add(...of('c', 'newest'))
  sent.length = 0
  await leader.goOn()
  t.same(sent, ['2', 'newest'], 'also where they are greater by now')
  t.notOk(said.includes('gap'))
  await add(...of('c', 'last'))
  await leader.goOn()
  t.same(sent, ['2', 'newest', 'last'], 'once')
})

t.test('an instance that may not lead any more begins nothing', async (t) => {
  const { add, state, clock, storage } = await setUp(t)
  const sent: string[] = []
  const deliveries = createEndpointDeliveries({
    ...{ endpoint, state, trail: storage.events, clock, leader: 'one' },
    told: {} as never,
    isLeading: () => false,
    lost() {},
    beginsAtMs: clock(),
    async send(_endpoint, { id }) {
      sent.push(id)
      return { outcome: 'delivered' }
    }
  })
  await add(...of('a', '1'))
  await deliveries.step()
  await deliveries.end()
  t.same(sent, [])
})

/** A deliverer whose receiver never answers. `next` resolves to the signal of the attempt that begins next. */
function startDeliverer(t: Test, { clock, state, storage }: Awaited<ReturnType<typeof setUp>>, leaseMs: number) {
  const sent: AbortSignal[] = []
  let arrived: (signal: AbortSignal) => void = () => {}
  const next = () => new Promise<AbortSignal>((resolve) => (arrived = resolve))
  const locks = { ...storage.locks }
  const deliverer = createDeliverer({
    ...{ endpoints: [endpoint], state, trail: storage.events, clock, leaseMs, locks },
    told: {
      webhooksFailed(error: unknown) {
        throw error
      }
    } as never,
    async send(_endpoint, _delivery, ended) {
      sent.push(ended)
      arrived(ended)
      await once(ended, 'abort')
      return { outcome: 'unreachable' }
    }
  })
  t.teardown(() => deliverer.stop())
  // The deliverer keeps no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.teardown(() => clearInterval(alive))
  deliverer.start()
  return { sent, next, locks }
}

t.test('a leader without a lease breaks off what is under way, and makes it again when it leads', async (t) => {
  const parts = await setUp(t)
  const { sent, next, locks } = startDeliverer(t, parts, 400)
  const { acquire } = locks
  const first = next()
  await parts.add(...of('a', '1'))
  const signal = await first
  const second = next()
  locks.acquire = async () => {
    throw fault('unavailable', { detail: 'nobody answers' })
  }
  await once(signal, 'abort')
  t.equal(sent.length, 1)
  locks.acquire = acquire
  t.notOk((await second).aborted)
  t.same(await parts.state.held('billing'), [], 'no attempt was made that failed')
})

t.test('so does one whose machine was suspended, when it wakes: by its own clock no time has passed', async (t) => {
  const parts = await setUp(t)
  // By that clock the lease neither ends nor is renewed while this runs.
  const { sent, next, locks } = startDeliverer(t, parts, 3_600_000)
  const first = next()
  await parts.add(...of('a', '1'))
  const signal = await first
  const second = next()
  const { acquire } = locks
  const sentWhenAsked: number[] = []
  locks.acquire = async (...lock) => {
    sentWhenAsked.push(sent.length)
    return acquire(...lock)
  }
  parts.clock.advance(3_600_000)
  await once(signal, 'abort')
  t.notOk((await second).aborted)
  t.same(sentWhenAsked, [1], 'another one may lead, so it asks before it begins anything')
  t.same(await parts.state.held('billing'), [], 'no attempt was made that failed')
})

t.test('rests double from five seconds to an hour, with a fifth of jitter', async (t) => {
  t.same(
    [1, 2, 3, 4, 10, 11, 500].map((attempts) => restAfter(attempts, 0.5)),
    [5_000, 10_000, 20_000, 40_000, 2_560_000, 3_600_000, 3_600_000]
  )
  t.same([restAfter(1, 0), restAfter(1, 1)], [4_000, 6_000])
})

t.test('an endpoint is told to fail after three failures in a row, and when it takes events again', async (t) => {
  const { add, lead, said, receiver } = await setUp(t)
  const leader = await lead('one')
  let answers: Outcome[] = [
    'refused',
    'refused',
    'delivered',
    'refused',
    'timed_out',
    'refused',
    'refused',
    'delivered'
  ]
  receiver.answers = () => answers.shift() ?? 'delivered'
  for (let i = 0; answers.length > 0; i++) {
    await add(...of(`of ${i}`, `${i}`))
    await leader.goOn()
  }
  t.same(
    said.filter((one) => one.startsWith('turned')),
    ['turned refused', 'turned delivered']
  )
  answers = []
})

t.test('the code of an error that kept an attempt from a receiver is told as well', async (t) => {
  const { add, lead, said, receiver } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = () => ({ outcome: 'unreachable', code: 'CERT_HAS_EXPIRED' })
  await add(...of('a', '1'), ...of('b', '2'), ...of('c', '3'))
  await leader.goOn()
  t.same(said.at(-1), 'turned unreachable CERT_HAS_EXPIRED')
})

t.test('an error of our own is told as what it is, and its event is tried again', async (t) => {
  const { add, lead, said, sent, receiver, clock } = await setUp(t)
  const leader = await lead('one')
  receiver.answers = () => Promise.reject(new TypeError('a bug'))
  await add(...of('a', '1'))
  await leader.goOn()
  t.same(said, ['broken: a bug', 'unreachable'])
  receiver.answers = () => 'delivered'
  clock.advance(7_000)
  await leader.goOn()
  t.same(sent, ['1', '1'])
})
