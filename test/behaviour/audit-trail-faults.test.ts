/** The audit trail: that nothing acknowledged is missing from it, in which order it is, how much it keeps, and what it costs. */
import t, { type Test } from 'tap'
import { runEventsCommand } from '../../src/cli/events.js'
import type { AuditEvent, EventType } from '../../src/core/audit/event.js'
import { BY_OPERATOR } from '../../src/core/audit/event.js'
import { createEventSearch } from '../../src/core/audit/event-search.js'
import type { EventFilter } from '../../src/core/audit/event-store.js'
import { createWholeTrail } from '../../src/core/audit/whole-trail.js'
import { isAuthorization } from '../../src/core/authorizations/authorization.js'
import { createRevocationSweep } from '../../src/core/authorizations/revocation-sweep.js'
import { createRevoking } from '../../src/core/authorizations/revoking.js'
import { fault } from '../../src/core/fault.js'
import { readable } from '../../src/core/records/readable.js'
import { createMemoryEventStore } from '../../src/storage/memory/event-store.js'
import { startApp, type TestApp } from '../support/app.js'
import { eventsOf } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { startOAuthApp } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'

const server = await startRedis()
t.teardown(() => server.stop())
let prefixes = 0
/** Variables for a Redis of its own. */
const overRedis = () => ({ REDIS_URL: server.url, REDIS_PREFIX: `trail-${prefixes++}:` })
const ENGINES: Record<string, () => Record<string, string>> = { memory: () => ({}), Redis: overRedis }

const typesOf = (events: readonly AuditEvent[]) => events.map(({ type }) => type)
const cid = (jwt: string) => String(claimsOf(jwt).cid)

/** Has every telling fail until the returned function is called. */
function silence({ app: { storage } }: TestApp): () => void {
  const { add } = storage.events
  storage.events.add = () => Promise.reject(fault('unavailable'))
  return () => {
    storage.events.add = add
  }
}

for (const [name, variables] of Object.entries(ENGINES)) {
  t.test(`what cannot be told is not acknowledged, and told when it is repeated: ${name}`, async (t) => {
    const service = await startOAuthApp(t, { ...variables(), LIMITS: 'on' })
    const { app, clock, start, decide, poll, call, authorize, approve, redeem, refresh, revoke } = service
    /** The operation fails while nothing can be told. Resolves to what its repetition tells. */
    const failsThenTells = async (operation: () => Promise<{ status: number }>, status = 200) => {
      const speak = silence(service)
      t.equal((await operation()).status, 503)
      speak()
      const before = (await eventsOf(app)).length
      t.equal((await operation()).status, status)
      return typesOf((await eventsOf(app)).slice(before))
    }
    const body = { client_type: 'cli' }
    t.strictSame(await failsThenTells(() => call('POST', '/auth/grant/code', { body })), ['grant.started'])
    const { grant_code, user_code } = await start()
    const peek = () => call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' })
    t.strictSame(await failsThenTells(peek), ['grant.shown'])
    t.strictSame(await failsThenTells(() => decide(user_code, 'ann')), ['grant.approved'])
    const collect = () => {
      clock.advance(5_000)
      return poll(grant_code)
    }
    t.strictSame(await failsThenTells(collect), ['grant.collected'])
    const [{ authorizationId = '' } = {}] = (await eventsOf(app)).slice(-1)
    const rename = () => call('PATCH', `/auth/clients/${authorizationId}`, { user: 'ann', body: { label: 'x' } })
    t.strictSame(await failsThenTells(rename), ['authorization.renamed'])
    const end = () => call('DELETE', `/auth/clients/${authorizationId}`, { user: 'ann' })
    t.strictSame(await failsThenTells(end), ['authorization.revoked'])

    const [denied, withdrawn, approved] = [await start(), await start(), await start()]
    t.strictSame(await failsThenTells(() => decide(denied.user_code, 'ann', 'deny')), ['grant.denied'])
    const withdraw = (code: string) => () => call('POST', '/auth/grant/revoke', { body: { grant_code: code } })
    t.strictSame(await failsThenTells(withdraw(withdrawn.grant_code)), ['grant.withdrawn'])
    await decide(approved.user_code, 'ann')
    t.strictSame(await failsThenTells(withdraw(approved.grant_code)), ['authorization.revoked'], 'not yet collected')

    const { device_code, user_code: code } = await authorize(undefined, 'offline_access')
    await approve(code)
    const { refresh_token } = (await redeem(device_code)).body
    await refresh(refresh_token)
    clock.advance(30_001)
    const replayed = ['authorization.revoked', 'refresh_token.replayed']
    t.strictSame(await failsThenTells(() => refresh(refresh_token), 400), replayed)
    const other = await service.tokens()
    t.strictSame(await failsThenTells(() => revoke(other.refresh_token)), ['authorization.revoked'])
  })

  t.test(`a revocation that was left is finished, and told: ${name}`, async (t) => {
    const service = await startApp(t, { ...variables(), LIMITS: 'off' })
    const { app, collect, call, clock } = service
    const { storage, core } = app
    const records = readable(storage.authorizations, isAuthorization)
    const parts = { records, store: storage.revocations, clients: core.clients, clock, audit: core.audit }
    const failed = (error: unknown) => t.fail(String(error))
    const { sweep } = createRevocationSweep(storage.revocations, createRevoking(parts), failed)
    const sweepLater = () => {
      clock.advance(10_001)
      return sweep()
    }
    /** Who is said to have revoked one. */
    const revokers = async (id: string) =>
      (await eventsOf(app))
        .filter(({ type, authorizationId }) => type === 'authorization.revoked' && authorizationId === id)
        .map(({ actor, detail }) => `${actor} ${detail}`)
    const [untold, told, finished] = [cid(await collect('ann')), cid(await collect('ann')), cid(await collect('ann'))]
    const revoke = async (id: string) => (await call('DELETE', `/auth/clients/${id}`, { user: 'ann' })).status

    const speak = silence(service)
    t.equal(await revoke(untold), 503)
    speak()
    t.strictSame(await revokers(untold), [])
    await sweepLater()
    t.strictSame(await revokers(untold), ['service unfinished'])

    const { change } = storage.authorizations
    storage.authorizations.change = () => Promise.reject(fault('unavailable'))
    t.equal(await revoke(told), 503)
    await sweepLater()
    await sweepLater()
    const twice = ['user:ann owner', 'service unfinished']
    t.strictSame(await revokers(told), twice, 'nobody knows that it was told, but it is not told at every attempt')
    storage.authorizations.change = change

    t.equal(await revoke(finished), 200)
    await sweepLater()
    t.equal(await revoke(finished), 200)
    t.strictSame(await revokers(finished), ['user:ann owner'])
    t.equal(
      await call('GET', '/auth/clients', { user: 'ann' }).then(({ body }) => body.data.filter(isActive).length),
      0
    )
  })

  t.test(`what happens to one authorization is told in its order: ${name}`, async (t) => {
    const engine = variables()
    const first = await startOAuthApp(t, engine)
    const second = engine.REDIS_URL ? await startOAuthApp(t, engine) : first
    const one = async (user: string) => {
      const { device_code, user_code } = await first.authorize()
      await second.approve(user_code, user)
      const { access_token } = (await first.redeem(device_code)).body
      await second.call('DELETE', `/auth/clients/${cid(access_token)}`, { token: await second.session(user) })
      return cid(access_token)
    }
    const ids = await Promise.all(Array.from({ length: 40 }, (_, i) => one(`user ${i}`)))
    const events = await eventsOf(second.app)
    for (const id of ids) {
      const [approval] = events.filter(({ authorizationId }) => authorizationId === id)
      const own = events.filter(
        ({ authorizationId, grantId }) => authorizationId === id || grantId === approval?.grantId
      )
      t.strictSame(typesOf(own), ['grant.started', 'grant.approved', 'grant.collected', 'authorization.revoked'])
    }
  })

  t.test(`so many events are kept as are asked for, the newest: ${name}`, async (t) => {
    const engine = variables()
    const { app } = await startApp(t, { ...engine, EVENTS_KEPT: '150' })
    const blocked = (i: number) => ({ type: 'user.blocked', ...BY_OPERATOR, userId: `${i}` }) as const
    for (let i = 0; i < 2_000; i += 50) {
      await app.core.audit.tell(...Array.from({ length: 50 }, (_, j) => blocked(i + j)))
    }
    const events = await eventsOf(app)
    t.ok(events.length >= 150 && events.length <= 300, `${events.length} are kept`)
    t.strictSame(
      events.map(({ userId }) => Number(userId)),
      Array.from({ length: events.length }, (_, i) => 2_000 - events.length + i)
    )
    const none = await startApp(t, { ...variables(), EVENTS_KEPT: '0' })
    await none.start()
    t.strictSame(await eventsOf(none.app), [])
  })
}

for (const [name, variables] of Object.entries(ENGINES)) {
  t.test(`what anybody can cause pushes nothing else out, whichever way the trail is read: ${name}`, async (t) => {
    const { app } = await startApp(t, { ...variables(), EVENTS_KEPT: '150' })
    const { audit, searchEvents } = app.core
    const started = { type: 'grant.started', actor: 'client:cli' } as const
    const byUser = (type: EventType) => ({ type, actor: 'user:eve', userId: 'eve' }) as const
    const flood = [
      started,
      ...(['authorization.renamed', 'grant.shown', 'user.signed_in', 'user.signed_out'] as const).map(byUser),
      ...(['guesses.limited', 'refresh_token.replayed', 'rule.refused'] as const).map(byUser)
    ]
    const evidence = (i: number) => ({ type: 'user.blocked', ...BY_OPERATOR, userId: `${i}` }) as const
    await audit.tell({ type: 'user.signed_out', actor: 'admin:root', userId: '0' })
    for (let i = 0; i < 10; i++) {
      await audit.tell(evidence(i), ...Array.from({ length: 200 }, (_, j) => flood[j % flood.length] ?? started))
    }
    const newest = await eventsOf(app)
    t.ok(newest.length <= 300 && newest.every(({ userId }) => userId !== '0'), 'a flood')

    /** All that is found, in pages of a size that divides nothing. */
    const read = async (direction: 'after' | 'before', filter: EventFilter = {}) => {
      const all: AuditEvent[] = []
      for (let from: string | undefined; ; ) {
        const { events, next } = await searchEvents(filter, { direction, from, most: 37 })
        all.push(...events)
        if (next === undefined) return all
        from = next
      }
    }
    const backwards = await read('before')
    t.strictSame((await read('after')).reverse(), backwards, 'from either end')
    t.strictSame(backwards.slice(0, newest.length), newest.toReversed())
    t.equal(new Set(backwards.map(({ id }) => id)).size, backwards.length, 'each once')
    const blocked = backwards.flatMap(({ type, userId }) => (type === 'user.blocked' ? Number(userId) : []))
    t.strictSame(
      blocked,
      Array.from({ length: 10 }, (_, i) => 9 - i)
    )
    for (const filter of [
      { type: 'user.blocked' },
      { type: 'grant.started' },
      { userId: '0' },
      { userId: '9' }
    ] as const) {
      const wanted = backwards.filter((event) =>
        'type' in filter ? event.type === filter.type : event.userId === filter.userId
      )
      t.ok(wanted.length > 0)
      t.strictSame(await read('before', filter), wanted, `before, ${JSON.stringify(filter)}`)
      t.strictSame((await read('after', filter)).reverse(), wanted, `after, ${JSON.stringify(filter)}`)
    }
    const first = backwards.at(-1)
    t.strictSame(
      (await searchEvents({}, { direction: 'after', from: first?.id, most: 1 })).events.map(({ userId }) => userId),
      ['0'],
      'after what an admin does, which is there alone'
    )
  })
}

t.test('what is dropped while the trail is looked through is found all the same', async (t) => {
  const { clock } = await startApp(t)
  const store = createMemoryEventStore(200)
  const started = Array.from({ length: 15 }, () => ({ type: 'grant.started', actor: 'client:cli' }) as const)
  for (let i = 0; i < 10; i++)
    await store.add([{ type: 'user.blocked', ...BY_OPERATOR, userId: `${i}` }, ...started], clock())
  const [first] = (await store.after(undefined, 1)).events
  const flooded: typeof store = {
    ...store,
    async look(...place) {
      for (let i = 0; i < 30; i++) await store.add(started, clock())
      return store.look(...place)
    }
  }
  const search = createEventSearch(createWholeTrail(flooded), clock)
  const { events } = await search({ type: 'user.blocked' }, { direction: 'after', from: first?.id, most: 50 })
  t.strictSame(
    events.map(({ userId }) => userId),
    ['1', '2', '3', '4', '5', '6', '7', '8', '9']
  )
})

t.test('who follows the trail through a flood is told nothing twice', async (t) => {
  const { app, clock } = await startApp(t, { EVENTS_KEPT: '150' })
  const { audit } = app.core
  const started = { type: 'grant.started', actor: 'client:cli' } as const
  const blocked = (userId: string) => ({ type: 'user.blocked', ...BY_OPERATOR, userId }) as const
  await audit.tell(blocked('one'))
  clock.advance(1_000)
  await audit.tell(started)
  const following = runEventsCommand(app.core, { follow: true, json: true })
  const next = async () => JSON.parse((await following.next()).value as string)
  t.match(await next(), { type: 'user.blocked', user_id: 'one' })
  t.match(await next(), { type: 'grant.started' })
  // It is held up meanwhile, as by a pager.
  for (let i = 0; i < 600; i++) await audit.tell(started)
  await audit.tell(blocked('two'))
  let told = await next()
  while (told.type === 'grant.started') told = await next()
  t.match(told, { type: 'user.blocked', user_id: 'two' })
  await following.return(undefined)
})

const isActive = ({ revoked_at }: { revoked_at: string | null }) => revoked_at === null

t.test('a key of the wrong type, and a damaged entry', async (t) => {
  const variables = overRedis()
  const { app, start, call } = await startApp(t, variables)
  const key = `${variables.REDIS_PREFIX}events`
  await server.client.set(key, 'foreign')
  const begin = () => call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })
  t.equal((await begin()).status, 503)
  await server.client.del(key)
  t.equal((await begin()).status, 200)
  await server.client.xadd(key, '*', 'at', 'yesterday', 'type', 'grant.started', 'actor', 'client:cli')
  await server.client.xadd(key, '*', 'e', 'x')
  await server.client.xadd(key, '*', 'at', '1', 'type', 'later.version', 'actor', 'service', 'more', 'x')
  await start()
  const { body } = await call('GET', '/metrics')
  t.strictSame(typesOf(await eventsOf(app)), ['grant.started', 'later.version', 'grant.started'], 'are left out')
  const counted = (text: string) => Number(/^grantd_redis_foreign_keys_total (\d+)/m.exec(text)?.[1])
  t.equal(counted((await call('GET', '/metrics')).body) - counted(body), 2, 'and reported')
})

/** The commands that Redis gets for an operation, but for those of its scripts and of timers; that of the trail is an `event`. */
async function watched(t: Test, operation: () => Promise<unknown>): Promise<string[]> {
  const monitor = await server.client.monitor()
  t.teardown(() => monitor.disconnect())
  const names: string[] = []
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const name = args[0]?.toLowerCase() ?? ''
    const isTimer = ['ping', 'info', 'xrevrange'].includes(name) || args.some((one) => /(revocation|marker):/.test(one))
    if (source !== 'lua' && !isTimer) names.push(args.some((one) => one.endsWith(':events')) ? 'event' : name)
  })
  await operation()
  // What was sent before this has been seen when this is.
  await server.client.echo('done')
  while (names.at(-1) !== 'echo') await new Promise((resolve) => setImmediate(resolve))
  monitor.disconnect()
  return names.slice(0, -1)
}

t.test('a start and an approval cost one command, which leaves with others, and a pending poll none', async (t) => {
  const proxy = await startFaultProxy(server.port, () => 1)
  t.teardown(() => proxy.close())
  const open = (kept: string) => startApp(t, { ...overRedis(), REDIS_URL: proxy.url, EVENTS_KEPT: kept })
  const [telling, silent] = [await open('100000'), await open('0')]
  const begin = ({ call }: TestApp) => call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })

  /** How many pieces reach Redis for an operation at least: there are more if a timer comes in between. */
  const pieces = async (operation: () => Promise<unknown>) => {
    const counts: number[] = []
    for (let i = 0; i < 8; i++) {
      const before = proxy.pieces()
      await operation()
      counts.push(proxy.pieces() - before)
    }
    return Math.min(...counts)
  }
  await Promise.all([begin(telling), begin(silent)])
  const starts = [await watched(t, () => begin(telling)), await watched(t, () => begin(silent))] as const
  t.strictSame(
    starts[0].filter((name) => name !== 'event'),
    starts[1]
  )
  t.equal(starts[0].length, starts[1].length + 1, starts[0].join(' '))
  t.equal(await pieces(() => begin(telling)), await pieces(() => begin(silent)), 'in no piece more')

  const approving = async (service: TestApp) => {
    const { user_code } = (await begin(service)).body
    return () => service.decide(user_code, 'ann')
  }
  await (await approving(telling))()
  await (await approving(silent))()
  const approvals = [await watched(t, await approving(telling)), await watched(t, await approving(silent))] as const
  t.strictSame(
    approvals[0].filter((name) => name !== 'event'),
    approvals[1]
  )
  t.equal(approvals[0].length, approvals[1].length + 1, approvals[0].join(' '))
  const piecesOf = async (service: TestApp) => {
    const approve = await Promise.all(Array.from({ length: 8 }, () => approving(service)))
    return pieces(() => approve.pop()?.() ?? Promise.reject(new Error('none is left')))
  }
  t.equal(await piecesOf(telling), await piecesOf(silent), 'in no piece more')

  const { grant_code } = (await begin(telling)).body
  const polls = await watched(t, async () => {
    for (let i = 0; i < 5; i++) await telling.poll(grant_code)
  })
  t.strictSame(
    polls,
    Array.from({ length: 5 }, () => 'evalsha')
  )
})
