/** What the admin API lists over all users: authorizations, grants that wait, connected accounts and the audit trail. */
import t, { type Test } from 'tap'
import { BY_OPERATOR, type Told } from '../../../src/core/audit/event.js'
import { adminCalls } from '../../support/admin.js'
import { startApp } from '../../support/app.js'
import { claimsOf } from '../../support/client.js'
import { startRedis } from '../../support/redis-server.js'
import { apiHeaders, refused } from '../expectations.js'

const redis = await startRedis()
t.teardown(() => redis.stop())
const ENGINES = { 'in memory': {}, 'over Redis': { REDIS_URL: redis.url } } as const

async function setUp(t: Test, variables: Record<string, string> = {}) {
  await redis.client.flushall()
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...variables })
  return { ...service, ...adminCalls(service) }
}

for (const [engine, variables] of Object.entries(ENGINES)) {
  t.test(`authorizations over all users, ${engine}`, async (t) => {
    const { readAll, ask, collect, start, decide, poll, clock } = await setUp(t, variables)
    const jwts = await Promise.all(Array.from({ length: 450 }, (_, i) => collect(`user ${i % 50}`)))
    const ids = jwts.map((jwt) => `${claimsOf(jwt).cid}`)
    for (const limit of [3, 20, 200]) {
      const { entries, lengths } = await readAll('/clients', limit)
      t.strictSame([...new Set(entries.map(({ id }) => id))].sort(), [...ids].sort(), `${limit} at a time`)
      t.ok(lengths.length > 1)
      t.ok(Math.max(...lengths) <= limit, 'and no more')
    }
    const [id = ''] = ids
    const answer = await ask('GET', `/clients/${id}`)
    apiHeaders(t, answer)
    t.match(answer, {
      status: 200,
      body: {
        id,
        user_id: 'user 0',
        client_id: 'cli',
        client_type: 'cli',
        state: 'active',
        revoked_at: null,
        scopes: []
      }
    })
    const revokedAt = new Date(clock()).toISOString()
    t.strictSame(
      (await ask('DELETE', `/clients/${id}`)).body,
      { id, revoked_at: revokedAt },
      'and nothing of whose it is'
    )
    t.match((await ask('GET', `/clients/${id}`)).body, { state: 'revoked' })
    const at = (await ask('GET', `/clients/${id}`)).body.revoked_at
    t.equal(at, revokedAt)
    clock.advance(1_000)
    t.equal((await ask('DELETE', `/clients/${id}`)).body.revoked_at, at, 'again')
    const { grant_code, user_code } = await start()
    await decide(user_code, 'waits')
    const awaiting = (await readAll('/users/waits/clients')).entries
    t.match(awaiting, [{ state: 'awaiting_collection', collected_at: null }])
    t.match(
      (await ask('GET', `/clients/${awaiting[0]?.id}`)).body,
      { user_id: 'waits' },
      'by its id before it is collected'
    )

    const idsOf = async (query: string) => (await readAll(`/clients?${query}`, 200)).entries.map(({ id }) => id)
    t.strictSame(await idsOf('revoked=true'), [id])
    t.equal(new Set(await idsOf('revoked=false')).size, 450)
    t.equal(new Set(await idsOf('client_type=cli&client_id=cli')).size, 451)
    t.strictSame(await idsOf('client_id=mcp'), [])
    t.strictSame(await idsOf('client_type=mcp'), [])
    await ask('DELETE', `/clients/${awaiting[0]?.id}`)
    t.equal((await poll(grant_code)).body.status, 'access_denied')
  })

  t.test(`grants that wait, ${engine}`, async (t) => {
    const service = await setUp(t, {
      ...variables,
      LIMITS: 'on',
      LIMIT_START_PER_MINUTE: '1000',
      LIMIT_PENDING_PER_IP: '1000'
    })
    const { ask, readAll, start, decide, clock, call } = service
    t.strictSame((await ask('GET', '/grants/pending')).body, { clients: [], data: [] })
    const startedAt = new Date(clock()).toISOString()
    const codes: { grant_code: string; user_code: string }[] = []
    for (let i = 0; i < 23; i++) {
      codes.push(await start({ name: 'acme-cli' }))
      clock.advance(10)
    }
    const asIde = { client_type: 'ide-plugin', client_metadata: {} }
    for (let i = 0; i < 4; i++) await call('POST', '/auth/grant/code', { body: asIde })
    const first = await ask('GET', '/grants/pending?limit=1')
    apiHeaders(t, first)
    const of = (name: string) => first.body.clients.find(({ client_id }: { client_id: string }) => client_id === name)
    t.match(of('cli'), { count: 23 })
    t.match(of('ide-plugin'), { count: 4 })
    t.ok(Math.abs(Date.parse(of('cli').oldest_started_at) - Date.parse(startedAt)) < 60_000)
    const [grant] = first.body.data
    t.match(grant, {
      client_id: 'cli',
      client_type: 'cli',
      client_name: 'acme-cli',
      ip: '127.0.0.1',
      location: null,
      started_at: startedAt,
      grant_id: /^[\w-]{16}$/
    })
    t.equal(Date.parse(grant.expires_at) - Date.parse(grant.started_at), 900_000)
    const { entries } = await readAll('/grants/pending', 5)
    t.equal(new Set(entries.map(({ grant_id }) => grant_id)).size, 27)
    const text = JSON.stringify([first.body, entries])
    for (const { grant_code, user_code } of codes) t.notOk(text.includes(grant_code) || text.includes(user_code))

    await decide(codes[0]?.user_code ?? '', 'ann')
    await call('POST', '/auth/grant/revoke', { body: { grant_code: codes[1]?.grant_code } })
    const { body } = await ask('GET', '/grants/pending')
    t.equal(body.data.length, 25)
    t.match(body.clients, [
      { client_id: 'cli', count: 21 },
      { client_id: 'ide-plugin', count: 4 }
    ])
    clock.advance(900_000)
    t.strictSame((await ask('GET', '/grants/pending')).body.data, [], 'what has expired waits no more')
  })

  t.test(`the trail, ${engine}`, async (t) => {
    const { ask, readAll, app, clock } = await setUp(t, variables)
    const told = (i: number): Told => ({
      type: i % 3 === 0 ? 'user.blocked' : 'grant.started',
      actor: 'service',
      userId: i % 2 === 0 ? 'ann' : 'bob',
      detail: `${i}`,
      ...(i === 0 && { clientId: 'cli', authorizationId: 'a', grantId: 'g', ip: '192.0.2.1', location: 'Oslo' })
    })
    const { last_id: before } = (await ask('GET', '/events?order=newest&limit=1')).body
    for (let i = 0; i < 60; i++) await app.storage.events.add([told(i)], clock())
    const from = before === undefined ? '' : `after=${before}`
    const detailsOf = (entries: { detail?: unknown }[]) => entries.map(({ detail }) => Number(detail))
    const numbers = Array.from({ length: 60 }, (_, i) => i)
    const all = (await ask('GET', `/events?${from}&limit=200`)).body
    t.strictSame(detailsOf(all.data), numbers)
    t.equal(all.last_id, all.data.at(-1).id)
    t.equal(all.next_cursor, undefined)
    const { id, at, ...rest } = all.data[0]
    t.strictSame(rest, {
      type: 'user.blocked',
      actor: 'service',
      user_id: 'ann',
      client_id: 'cli',
      authorization_id: 'a',
      grant_id: 'g',
      ip: '192.0.2.1',
      location: 'Oslo',
      detail: '0'
    })
    t.ok(Math.abs(Date.parse(at) - Date.now()) < 3_600_000)
    t.strictSame(detailsOf((await ask('GET', `/events?after=${id}&limit=3`)).body.data), [1, 2, 3])
    t.strictSame(detailsOf((await ask('GET', `/events?before=${all.last_id}&limit=3`)).body.data), [58, 57, 56])
    for (const query of [`before=${all.last_id}`, 'order=newest', `before=${all.last_id}&type=user.blocked`]) {
      const first = (await ask('GET', `/events?${query}&limit=5`)).body
      const filter = query.includes('type') ? '&type=user.blocked' : ''
      const further = `/events?limit=5${filter}&cursor=${encodeURIComponent(first.next_cursor)}`
      const second = (await ask('GET', further)).body
      const expected = numbers
        .filter((i) => (filter === '' || i % 3 === 0) && (query === 'order=newest' || i < 59))
        .reverse()
      t.strictSame(detailsOf([...first.data, ...second.data]), expected.slice(0, 10), query)
      t.equal(first.last_id, first.data.at(-1).id, 'the oldest of those that were looked at')
      t.strictSame((await ask('GET', `${further}&order=newest`)).body.data, second.data, 'the order may be said again')
      refused(t, await ask('GET', `${further}&order=oldest`), 400, 'The order is not that of the place.')
      refused(t, await ask('GET', `${further}&before=${all.last_id}`), 400, 'Say one of after, before and cursor.')
    }
    t.strictSame(
      detailsOf((await readAll('/events?type=user.blocked', 4)).entries),
      numbers.filter((i) => i % 3 === 0)
    )
    const ofBob = (await readAll('/events?type=user.blocked&user_id=bob&order=newest', 4)).entries
    t.strictSame(detailsOf(ofBob), numbers.filter((i) => i % 6 === 3).reverse())
    const nothing = (await ask('GET', '/events?user_id=nobody')).body
    t.strictSame([nothing.data, nothing.last_id], [[], all.last_id], 'what was looked at, from where to read on')
    t.strictSame((await ask('GET', `/events?after=${all.last_id}`)).body, { data: [], last_id: all.last_id })
  })
}

t.test('connected accounts, for a back end', async (t) => {
  const { ask, askWith, readAll, app } = await setUp(t)
  const connect = (userId: string, id: string, upstreamId: string) =>
    app.core.connections.keep(
      userId,
      id,
      {
        upstreamId,
        identity: { subject: `at ${upstreamId}`, username: `${userId}@${upstreamId}`, name: userId },
        tokens: {
          accessToken: 'an access token',
          refreshToken: 'a refresh token',
          scopes: ['a', 'b'],
          expiresAtMs: undefined
        }
      },
      BY_OPERATOR
    )
  for (let i = 0; i < 9; i++) await connect('ann', `account ${i}`, i % 3 === 0 ? 'hub' : 'acme')
  await connect('bob', 'of bob', 'hub')
  const { entries, lengths } = await readAll('/users/ann/accounts', 2)
  t.strictSame(
    entries.map(({ id }) => id),
    Array.from({ length: 9 }, (_, i) => `account ${i}`)
  )
  t.ok(Math.max(...lengths) <= 2)
  const { connected_at, ...first } = entries[0] ?? {}
  t.type(connected_at, 'string')
  t.strictSame(first, {
    id: 'account 0',
    user_id: 'ann',
    provider: 'hub',
    subject: 'at hub',
    username: 'ann@hub',
    scopes: ['a', 'b'],
    status: 'connected'
  })
  const answer = await askWith('connected-accounts', 'GET', '/oauthAccounts?user_id=ann&provider=hub')
  apiHeaders(t, answer)
  t.strictSame(
    answer.body.data.map(({ id }: { id: string }) => id),
    ['account 0', 'account 3', 'account 6']
  )
  const ofHub = await readAll('/users/ann/accounts?provider=hub', 1)
  t.strictSame(
    ofHub.entries.map(({ id }) => id),
    ['account 0', 'account 3', 'account 6']
  )
  t.ok(ofHub.lengths.includes(0), 'a page may be empty and lead on')
  const { next_cursor: cursor } = (await ask('GET', '/users/ann/accounts?provider=hub&limit=1')).body
  for (const [path, status] of [
    ['/users/ann/accounts?provider=hub', 200],
    ['/users/ann/accounts?provider=acme', 400],
    ['/users/ann/accounts?', 400],
    ['/oauthAccounts?user_id=ann&provider=acme', 400]
  ] as const) {
    t.equal((await ask('GET', `${path}&cursor=${encodeURIComponent(cursor)}`)).status, status, path)
  }
  t.notMatch(JSON.stringify(answer.body), /a refresh token|an access token|sealed/)
  t.strictSame((await ask('GET', '/oauthAccounts?user_id=nobody')).body, { data: [] })
  refused(t, await ask('GET', '/users/nobody/accounts'), 404)
})

t.test('a page of the trail ends once it was looked for long enough, and the next one goes on', async (t) => {
  const { readAll, app, clock } = await setUp(t)
  const { events } = app.storage
  const told = (i: number): Told => ({ type: 'user.blocked', actor: 'service', userId: i === 449 ? 'ann' : 'bob' })
  await events.add(
    Array.from({ length: 450 }, (_, i) => told(i)),
    clock()
  )
  t.strictSame((await readAll('/events?user_id=ann')).lengths, [1])
  const { look } = events
  events.look = (...place) => {
    clock.advance(20)
    return look(...place)
  }
  t.strictSame((await readAll('/events?user_id=ann')).lengths, [0, 0, 1], 'a part of the trail each')
})
