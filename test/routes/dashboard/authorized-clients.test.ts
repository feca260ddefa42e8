import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { type Answer, startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { FORWARDED_NODES } from '../../support/forwarded-addresses.js'
import { BOX, CLI, startOAuthApp, TV } from '../../support/oauth-app.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const DAY_MS = 86_400_000
const FIELDS = [
  'client_name',
  'client_type',
  'client_version',
  'created_at',
  'expires_at',
  'id',
  'ip_at_grant',
  'is_current',
  'label',
  'last_used_at',
  'revoked_at'
]
const MALFORMED = [
  '',
  'x',
  '1',
  '%20',
  '..%2f..',
  '__proto__',
  'constructor',
  '*',
  '%00',
  '%',
  '%zz',
  '%ff',
  '%c0%ae',
  '%F0%9F%98%80',
  '00000000-0000-0000-0000-00000000000',
  '00000000-0000-0000-0000-0000000000000',
  '{00000000-0000-0000-0000-000000000000}',
  'x'.repeat(100),
  'x'.repeat(101),
  'x'.repeat(2_000)
]
const iso = (ms: number) => new Date(ms).toISOString()

const start = (t: Test, variables: Record<string, string> = {}) =>
  startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA', ...variables })

/** Starts an application with users whose sessions outlive every turn of the clock. */
const setUp = async (t: Test, variables: Record<string, string> = {}) => settle(await start(t, variables))

let settlers = 0

/** Adds two users to an application, who have no clients yet. Their sessions outlive every turn of the clock. */
async function settle(service: TestApp) {
  const { call, collect } = service
  settlers += 1
  const sessions = {
    ann: await sessionOf(`ann ${settlers}`, { expires: '3650d' }),
    bob: await sessionOf(`bob ${settlers}`, { expires: '3650d' })
  }
  const list = async (token = sessions.ann) => (await call('GET', '/auth/clients', { token })).body.data
  const revoke = (id: string, token = sessions.ann) => call('DELETE', `/auth/clients/${id}`, { token })
  const rename = (id: string, label: unknown, token = sessions.ann) =>
    call('PATCH', `/auth/clients/${id}`, { token, body: { label } })
  /** Authorizes a client for a user. Returns its JWT and its id. */
  const authorize = async (metadata?: Record<string, string>, user = 'ann') => {
    const { grant_code, user_code } = await service.start(metadata)
    const token = user === 'ann' ? sessions.ann : sessions.bob
    await call('POST', '/auth/grant/approve', { token, body: { user_code, action: 'approve' } })
    const { jwt } = (await service.poll(grant_code)).body
    return { jwt: jwt as string, id: String(decodeJwt(jwt).cid) }
  }
  return { ...service, sessions, list, revoke, rename, authorize, collect }
}

t.test('409 one more approval of who has 500 active clients, until one of them is revoked', async (t) => {
  const { app, call, clock, sessions, start, poll, list, revoke } = await setUp(t)
  const { sub } = decodeJwt(sessions.ann)
  const client = { clientId: 'cli', clientType: 'cli', createdAtMs: `${clock()}`, ipAtGrant: '192.0.2.1' }
  for (let i = 0; i < 500; i++) {
    const fields = { ...client, name: `tool ${i}`, expiresAtMs: `${clock() + DAY_MS}` }
    await app.storage.authorizations.create(sub as string, `id-${i}`, fields, clock() + 91 * DAY_MS)
  }
  const { grant_code, user_code } = await start()
  const approve = (token = sessions.ann) =>
    call('POST', '/auth/grant/approve', { token, body: { user_code, action: 'approve' } })
  refused(t, await approve(), 409, /^The user has 500 active clients, which is the maximum: .*revoked/)
  t.strictSame((await poll(grant_code)).body.status, 'authorization_pending', 'the grant still waits')
  t.equal((await list()).length, 500)
  await revoke('id-7')
  t.equal((await approve()).status, 200)
  t.equal((await approve()).status, 200, 'again')
  t.type((await poll(grant_code)).body.jwt, 'string')
  const { user_code: next } = await start()
  const other = await call('POST', '/auth/grant/approve', {
    token: sessions.bob,
    body: { user_code: next, action: 'approve' }
  })
  t.equal(other.status, 200, 'others have room of their own')
})

t.test('list', async (t) => {
  const service = await start(t)

  t.test('200 nothing for somebody new', async (t) => {
    const { call } = await settle(service)
    const answer = await call('GET', '/auth/clients', { user: 'nobody' })
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    t.strictSame(answer.body, { data: [] })
  })

  t.test('200 a client with everything its maker said', async (t) => {
    const { clock, list, authorize } = await settle(service)
    const { id } = await authorize({ name: 'acme', version: '1.4.0', hostname: 'build-7', os: 'linux' })
    t.strictSame(await list(), [
      {
        id,
        client_type: 'cli',
        client_name: 'acme',
        client_version: '1.4.0',
        label: 'build-7',
        ip_at_grant: '127.0.0.1',
        created_at: iso(clock()),
        expires_at: iso((Math.floor(clock() / 1000) + 30 * 86_400) * 1000),
        last_used_at: iso(clock()),
        revoked_at: null,
        is_current: false
      }
    ])
  })

  t.test('200 what is not known is null', async (t) => {
    const { list, authorize } = await settle(service)
    await authorize()
    const [client] = await list()
    t.strictSame(Object.keys(client).sort(), FIELDS)
    t.strictSame([client.client_name, client.client_version, client.label], [null, null, null])
  })

  t.test('200 an empty text is a text', async (t) => {
    const { list, authorize } = await settle(service)
    await authorize({ name: '', version: '', hostname: '' })
    const [client] = await list()
    t.strictSame([client.client_name, client.client_version, client.label], ['', '', ''])
  })

  t.test('200 active, revoked and expired ones, newest first', async (t) => {
    const { clock, list, authorize, revoke } = await settle(service)
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      ids.unshift((await authorize({ hostname: `h${i}` })).id)
      clock.advance(10 * DAY_MS)
    }
    await revoke(ids[1] as string)
    const clients = await list()
    t.strictSame(
      clients.map(({ id }: { id: string }) => id),
      ids
    )
    t.strictSame(
      clients.map((client: Record<string, string>) => [
        Date.parse(client.expires_at as string) <= clock(),
        client.revoked_at !== null
      ]),
      [
        [false, false],
        [false, true],
        [true, false],
        [true, false]
      ]
    )
  })

  t.test("200 only the caller's own", async (t) => {
    const { sessions, list, authorize } = await settle(service)
    const [mine, theirs] = [await authorize({}, 'ann'), await authorize({}, 'bob')]
    t.strictSame(
      (await list()).map(({ id }: { id: string }) => id),
      [mine.id]
    )
    t.strictSame(
      (await list(sessions.bob)).map(({ id }: { id: string }) => id),
      [theirs.id]
    )
    t.strictSame(
      (await list(theirs.jwt)).map(({ id }: { id: string }) => id),
      [theirs.id]
    )
  })

  t.test('200 is_current on the row of the asking JWT, and on no other', async (t) => {
    const { clock, list, authorize } = await settle(service)
    const one = await authorize()
    clock.advance(1_000)
    const two = await authorize()
    const current = async (token?: string) =>
      (await list(token))
        .filter(({ is_current }: { is_current: boolean }) => is_current)
        .map(({ id }: { id: string }) => id)
    t.strictSame(await current(), [])
    t.strictSame(await current(one.jwt), [one.id])
    t.strictSame(await current(two.jwt), [two.id])
  })

  t.test('200 last_used_at is sampled, at most once a minute for each client', async (t) => {
    const { clock, call, list, authorize } = await settle(service)
    const [client, other] = [await authorize(), await authorize()]
    const use = (jwt = client.jwt) => call('GET', '/auth/clients', { token: jwt })
    const lastUsed = async (id = client.id) => (await list()).find((row: { id: string }) => row.id === id).last_used_at
    const collected = clock()
    t.equal(await lastUsed(), iso(collected), 'the collection is the first use')
    clock.advance(59_999)
    await use()
    t.equal(await lastUsed(), iso(collected), 'just under a minute')
    clock.advance(1)
    const first = clock()
    await use()
    t.equal(await lastUsed(), iso(first), 'a minute')
    clock.advance(59_999)
    await use()
    t.equal(await lastUsed(), iso(first), 'just under a minute')
    t.equal(await lastUsed(other.id), iso(collected), 'the other client was not used')
    await use(other.jwt)
    t.equal(await lastUsed(other.id), iso(clock()), 'and has a minute of its own')
    clock.advance(1)
    await use()
    t.equal(await lastUsed(), iso(first + 60_000), 'another minute')
  })

  t.test('200 the address of the approver at the approval, seen through trusted proxies only', async (t) => {
    const { call, clock, app, start, poll } = await setUp(t, { TRUST_PROXY: '127.0.0.1,10.0.0.0/8,fd00::/8' })
    const ipFor = async (forwarded: string | undefined, remoteAddress = '127.0.0.1') => {
      clock.advance(1_000)
      const { grant_code, user_code } = await start()
      const session = await sessionOf('ann', { expires: '1d' })
      await app.inject({
        method: 'POST',
        url: '/api/v0/auth/grant/approve',
        remoteAddress,
        headers: {
          authorization: `Bearer ${session}`,
          ...(forwarded !== undefined && { 'x-forwarded-for': forwarded })
        },
        payload: { user_code, action: 'approve' }
      })
      await poll(grant_code)
      return (await call('GET', '/auth/clients', { token: session })).body.data[0].ip_at_grant
    }
    t.equal(await ipFor(undefined), '127.0.0.1')
    t.equal(await ipFor('203.0.113.7'), '203.0.113.7')
    t.equal(await ipFor('198.51.100.1, 203.0.113.7'), '203.0.113.7', 'the last one nobody trusted wrote')
    t.equal(await ipFor('203.0.113.7, 10.1.2.3'), '203.0.113.7', 'through two proxies')
    t.equal(await ipFor('evil, 203.0.113.7'), '203.0.113.7')
    t.equal(await ipFor('2001:db8::7'), '2001:db8::7')
    for (const text of ['evil', '203.0.113.7, evil', '203.0.113.7\t, <script>', 'x'.repeat(5_000)]) {
      t.equal(await ipFor(text), '127.0.0.1', `no address: ${text.slice(0, 30)}`)
    }
    t.equal(await ipFor('203.0.113.7', '192.0.2.1'), '192.0.2.1', 'from somebody who is no proxy')
    for (const [node, address = '127.0.0.1'] of FORWARDED_NODES) {
      t.equal(await ipFor(node), address, node)
      t.equal(await ipFor(`198.51.100.1, ${node}`), address, `what stands before ${node} was not added by a proxy`)
    }
    for (const proxy of ['10.1.2.3:4567', '[fd00::1]:4567', '[fd00::1%eth0]', '"10.1.2.3:4567"', '::ffff:10.1.2.3']) {
      t.equal(await ipFor(`[2001:db8::7]:1, ${proxy}`), '2001:db8::7', `${proxy} is trusted with its port`)
      const named = proxy.includes('fd00') ? 'fd00::1' : '10.1.2.3'
      t.equal(await ipFor(`198.51.100.1, unknown, ${proxy}`), named, 'the last that is known')
    }
    for (const list of ['203.0.113.7,', ', 203.0.113.7', '203.0.113.7, , ,10.1.2.3', '\t203.0.113.7\t,\t10.1.2.3 ']) {
      t.equal(await ipFor(list), '203.0.113.7', `empty elements are none: ${list}`)
    }
    t.equal(await ipFor(' , '), '127.0.0.1')
    t.equal(await ipFor(`203.0.113.7${', 10.1.2.3'.repeat(40)}`), '10.1.2.3', 'no chain of proxies is so long')
    t.equal(await ipFor('203.0.113.7', '::ffff:10.1.2.3'), '203.0.113.7', 'a peer in its other spelling')
    t.equal(await ipFor(undefined, '::ffff:192.0.2.1'), '192.0.2.1')
  })

  t.test('200 the address that Forwarded names, where the proxies send that', async (t) => {
    const variables = { TRUST_PROXY: '127.0.0.1,10.0.0.0/8', TRUST_PROXY_HEADER: 'forwarded' }
    const { call, clock, start, poll } = await setUp(t, variables)
    const token = await sessionOf('ann', { expires: '1d' })
    const ipFor = async (forwarded: string, other = '198.51.100.9') => {
      clock.advance(1_000)
      const { grant_code, user_code } = await start()
      const headers = { forwarded, 'x-forwarded-for': other }
      await call('POST', '/auth/grant/approve', { token, headers, body: { user_code, action: 'approve' } })
      await poll(grant_code)
      return (await call('GET', '/auth/clients', { token })).body.data[0].ip_at_grant
    }
    for (const [node, address = '127.0.0.1'] of FORWARDED_NODES) {
      t.equal(await ipFor(`for=${node}`), address, node)
      t.equal(await ipFor(`for=198.51.100.1, proto=https;FOR=${node};by=10.0.0.1`), address, `behind ${node}`)
    }
    for (const [header, address] of [
      ['for="[2001:db8::7]:1";host="a,b;for=1.1.1.1", for=10.1.2.3;by="_x"', '2001:db8::7'],
      ['for=203.0.113.7, for="10.1.2.3:99", ', '203.0.113.7'],
      // A client may begin what a proxy then adds to.
      ['for="198.51.100.1, for=203.0.113.7', '203.0.113.7'],
      ['for=198.51.100.1;x="\\, for=203.0.113.7', '203.0.113.7'],
      ['for=198.51.100.1, for=203.0.113.7;host="a\\"b,c"', '203.0.113.7'],
      // What cannot be read, or names two, names nobody.
      ['for=198.51.100.1;for=203.0.113.7', '127.0.0.1'],
      ['for=203.0.113.7;"', '127.0.0.1'],
      ['proto=https;by=203.0.113.7', '127.0.0.1'],
      ['203.0.113.7', '127.0.0.1'],
      ['xfor=203.0.113.7', '127.0.0.1'],
      ['', '127.0.0.1']
    ] as const) {
      t.equal(await ipFor(header), address, header)
    }
    t.equal(await ipFor(`for=203.0.113.7;x="${'\\'.repeat(15_000)}`), '127.0.0.1', 'at once, however long')
  })

  t.test('200 without TRUST_PROXY X-Forwarded-For is nothing', async (t) => {
    const { call, sessions, start, poll } = await settle(service)
    const { grant_code, user_code } = await start()
    const headers = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7', 'x-real-ip': '203.0.113.7' }
    await call('POST', '/auth/grant/approve', { token: sessions.ann, headers, body: { user_code, action: 'approve' } })
    await poll(grant_code)
    t.equal((await call('GET', '/auth/clients', { token: sessions.ann })).body.data[0].ip_at_grant, '127.0.0.1')
  })

  for (const [how, ends] of [
    ['expired', (createdAtMs: number) => (Math.floor(createdAtMs / 1000) + 30 * 86_400) * 1000],
    ['was revoked', (createdAtMs: number) => createdAtMs + 5 * DAY_MS]
  ] as const) {
    t.test(`200 for 90 days after it ${how}`, async (t) => {
      const { clock, list, authorize, revoke } = await settle(service)
      const { id } = await authorize()
      const endedAtMs = ends(clock())
      if (how === 'was revoked') {
        clock.advance(5 * DAY_MS)
        await revoke(id)
      }
      clock.advance(endedAtMs + 90 * DAY_MS - clock() - 1)
      t.equal((await list()).length, 1, 'the last millisecond')
      clock.advance(1)
      t.strictSame(await list(), [])
    })
  }

  t.test('200 an expired client that is revoked does not stay longer for it', async (t) => {
    const { clock, list, authorize, revoke } = await settle(service)
    const { id } = await authorize()
    clock.advance(60 * DAY_MS)
    t.equal((await revoke(id)).body.revoked_at, iso(clock()))
    clock.advance(60 * DAY_MS - 1_000)
    t.equal((await list()).length, 1)
    clock.advance(1_000)
    t.strictSame(await list(), [])
  })

  t.test('200 in pages, for those who ask for them: active ones first, then those that ended', async (t) => {
    const { clock, call, sessions, list, authorize, revoke } = await settle(service)
    const ids: string[] = []
    for (let i = 0; i < 7; i++) {
      ids.push((await authorize({ name: `tool ${i}` })).id)
      clock.advance(1_000)
    }
    await revoke(ids[6] as string)
    clock.advance(1_000)
    await revoke(ids[2] as string)
    const ordered = [5, 4, 3, 1, 0, 2, 6].map((i) => ids[i])
    const whole = await list()
    for (const limit of [1, 3, 200]) {
      const rows: { id: string }[] = []
      for (let query: string | undefined = `limit=${limit}`; query !== undefined; ) {
        const page: Answer = await call('GET', `/auth/clients?${query}`, { token: sessions.ann })
        t.equal(page.status, 200)
        apiHeaders(t, page)
        t.ok(page.body.data.length <= limit)
        rows.push(...page.body.data)
        const cursor = page.body.next_cursor
        query = cursor && new URLSearchParams({ cursor, limit: `${limit}` }).toString()
      }

      t.strictSame(
        rows.map(({ id }) => id),
        ordered
      )
      t.strictSame(new Set(rows), new Set(whole), 'each as in the whole list')
    }
    const usual = await call('GET', '/auth/clients', { token: sessions.ann })
    t.strictSame(Object.keys(usual.body), ['data'], 'a whole list leads nowhere')
  })

  t.test('400 a limit that is none, and a cursor of somebody else or of nobody', async (t) => {
    const { call, sessions, authorize } = await settle(service)
    for (const user of ['ann', 'ann', 'bob', 'bob']) await authorize({}, user)
    const ask = (query: string, token = sessions.ann) => call('GET', `/auth/clients?${query}`, { token })
    for (const limit of ['0', '201', '-1', '1.5', 'x', '']) refused(t, await ask(`limit=${limit}`), 400, /^limit /)
    const { next_cursor } = (await ask('limit=1')).body
    t.equal((await ask(`cursor=${next_cursor}`)).body.data.length, 1)
    refused(t, await ask(`cursor=${next_cursor}`, sessions.bob), 400, /cursor/)
    for (const cursor of ['x', `${next_cursor}x`, next_cursor.slice(1), '%00', '1']) {
      refused(t, await ask(`cursor=${cursor}`), 400, /cursor/)
    }
    refused(t, await ask('cursor='), 400, /cursor/)
  })

  t.test('400 a cursor of another kind of list, whose owner has the same id', async (t) => {
    const { app, call } = service
    const { text } = await app.core.apiKeys.create('acme', {}, BY)
    const issuer = await app.core.issuers.create('acme', { name: 'name', description: 'description' })
    for (const name of ['one', 'two']) await app.core.workloads.create('acme', issuer.id, { name, audience: name })
    const page = await call('GET', `/v1/providers/${issuer.id}/clients?limit=1`, { token: text })
    const cursor = /cursor=([^>&]+)/.exec(String(page.headers.link))?.[1]
    t.equal((await call('GET', `/v1/providers/${issuer.id}/clients?cursor=${cursor}`, { token: text })).status, 200)
    const token = await sessionOf(issuer.id, { expires: '3650d' })
    refused(t, await call('GET', `/auth/clients?cursor=${cursor}`, { token }), 400, /cursor/)
  })

  t.test('401 without a token, with a revoked or an expired one', async (t) => {
    const { clock, call, authorize, revoke } = await settle(service)
    refused(t, await call('GET', '/auth/clients'), 401, 'No jwt provided!')
    const [one, two] = [await authorize(), await authorize()]
    t.equal((await call('GET', '/auth/clients', { token: one.jwt })).status, 200)
    await revoke(one.id)
    refused(
      t,
      await call('GET', '/auth/clients', { token: one.jwt }),
      401,
      'The jwt is not valid.',
      'the very next call'
    )
    const { exp = 0 } = decodeJwt(two.jwt)
    clock.advance(exp * 1000 - clock() - 1)
    t.equal((await call('GET', '/auth/clients', { token: two.jwt })).status, 200, 'the last millisecond')
    clock.advance(1)
    refused(t, await call('GET', '/auth/clients', { token: two.jwt }), 401, 'The jwt is not valid.', 'expired')
  })
})

t.test('update', async (t) => {
  const { call, sessions, list, rename, authorize, revoke } = await setUp(t)
  const { id, jwt } = await authorize({ name: 'acme', hostname: 'build-7' })

  t.test('200 another label and nothing else', async (t) => {
    const [before] = await list()
    for (const label of ['Work laptop', '', ' ', 'x'.repeat(255), '😀'.repeat(255), 'ü\u0000\n\u202e"<b>', 'null']) {
      const answer = await rename(id, label)
      t.equal(answer.status, 200, `${label.length}`)
      apiHeaders(t, answer)
      t.strictSame(answer.body, { ...before, label })
      t.strictSame((await list())[0], { ...before, label })
    }
  })

  t.test('200 null clears it, and clears it again', async (t) => {
    await rename(id, 'x')
    for (let i = 0; i < 2; i++) t.equal((await rename(id, null)).body.label, null)
    t.equal((await list())[0].label, null)
  })

  t.test('200 by a client of the same user, which is then current', async (t) => {
    const { status, body } = await rename(id, 'named by itself', jwt)
    t.equal(status, 200)
    t.equal(body.label, 'named by itself')
    t.equal(body.is_current, true)
  })

  t.test('200 other fields do not matter', async (t) => {
    const answer = await call('PATCH', `/auth/clients/${id}`, {
      token: sessions.ann,
      body: { label: 'y', revoked_at: '2020-01-01T00:00:00Z', id: 'z', client_name: 'evil', expires_at: null }
    })
    t.equal(answer.status, 200)
    t.match(answer.body, { id, client_name: 'acme', revoked_at: null, label: 'y' })
  })

  t.test('200 a revoked one can be renamed and stays revoked', async (t) => {
    const gone = await authorize({ hostname: 'gone' })
    const { revoked_at } = (await revoke(gone.id)).body
    const { status, body } = await rename(gone.id, 'the old one')
    t.equal(status, 200)
    t.match(body, { label: 'the old one', revoked_at })
  })

  t.test('400 label is missing, no text, or longer than 255', async (t) => {
    const token = sessions.ann
    refused(t, await call('PATCH', `/auth/clients/${id}`, { token, body: {} }), 400, 'label is missing.')
    refused(t, await call('PATCH', `/auth/clients/${id}`, { token, body: { Label: 'x' } }), 400, 'label is missing.')
    for (const label of ['x'.repeat(256), '😀'.repeat(256), 5, true, ['x'], {}]) {
      refused(t, await rename(id, label), 400, /^label must/, JSON.stringify(label).slice(0, 10))
    }
    t.equal((await list()).find((row: { id: string }) => row.id === id).label, 'y', 'and nothing has changed')
  })

  t.test('401 without a token, with a revoked one', async (t) => {
    refused(t, await call('PATCH', `/auth/clients/${id}`, { body: { label: 'x' } }), 401, 'No jwt provided!')
    const gone = await authorize()
    await revoke(gone.id)
    refused(t, await rename(gone.id, 'x', gone.jwt), 401, 'The jwt is not valid.')
  })

  t.test("404 somebody else's, an unknown one, and what is no id", async (t) => {
    refused(t, await rename(id, 'taken', sessions.bob), 404, 'Not Found', "somebody else's")
    refused(t, await rename('00000000-0000-4000-8000-000000000000', 'x'), 404, 'Not Found', 'unknown')
    refused(t, await rename(id.toUpperCase(), 'x'), 404, 'Not Found', 'in capitals')
    for (const bad of MALFORMED)
      refused(t, await rename(bad, 'x'), 404, 'Not Found', `${bad.slice(0, 40)} ${bad.length}`)
    t.equal((await list()).find((row: { id: string }) => row.id === id).label, 'y')
  })
})

t.test('revoke', async (t) => {
  const { clock, call, sessions, list, authorize, revoke } = await setUp(t)

  t.test('200 with revoked_at, and the JWT is worth nothing from the next call on', async (t) => {
    const { id, jwt } = await authorize({ hostname: 'h' })
    const before = (await list())[0]
    const answer = await revoke(id)
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    t.strictSame(answer.body, { ...before, revoked_at: iso(clock()) })
    for (const [method, url, body] of [
      ['GET', '/auth/clients', undefined],
      ['PATCH', `/auth/clients/${id}`, { label: 'x' }],
      ['DELETE', `/auth/clients/${id}`, undefined],
      ['GET', '/auth/grant/peek?user_code=BBBBBBBB', undefined],
      ['POST', '/auth/grant/approve', { user_code: 'BBBBBBBB', action: 'approve' }]
    ] as const) {
      const refusal = await call(method, url, { token: jwt, ...(body && { body }) })
      refused(t, refusal, 401, 'The jwt is not valid.', `${method} ${url}`)
    }
  })

  t.test('200 again: the first revoked_at stays', async (t) => {
    const { id } = await authorize()
    const first = (await revoke(id)).body
    clock.advance(3 * DAY_MS)
    t.strictSame((await revoke(id)).body, first)
    const [, ...answers] = await Promise.all(Array.from({ length: 10 }, () => revoke(id)))
    for (const { body } of answers) t.strictSame(body, first)
  })

  t.test('200 of itself, which is then current for the last time', async (t) => {
    const { id, jwt } = await authorize()
    const { status, body } = await revoke(id, jwt)
    t.equal(status, 200)
    t.equal(body.is_current, true)
    refused(t, await revoke(id, jwt), 401, 'The jwt is not valid.')
  })

  t.test('200 one of several by their user; the rest go on', async (t) => {
    const [one, two] = [await authorize(), await authorize()]
    t.equal((await revoke(two.id)).status, 200)
    t.equal((await call('GET', '/auth/clients', { token: one.jwt })).status, 200)
    refused(t, await call('GET', '/auth/clients', { token: two.jwt }), 401)
  })

  t.test('200 a body is not needed, and one that is there is not looked at', async (t) => {
    const { id } = await authorize()
    const answer = await call('DELETE', `/auth/clients/${id}`, { token: sessions.ann, body: { label: 5 } })
    t.equal(answer.status, 200)
  })

  t.test('401 without a token', async (t) => {
    const { id, jwt } = await authorize()
    refused(t, await call('DELETE', `/auth/clients/${id}`), 401, 'No jwt provided!')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200)
  })

  t.test("404 somebody else's, an unknown one, and what is no id", async (t) => {
    const { id, jwt } = await authorize()
    refused(t, await revoke(id, sessions.bob), 404, 'Not Found', "somebody else's")
    refused(t, await revoke('00000000-0000-4000-8000-000000000000'), 404, 'Not Found', 'unknown')
    refused(t, await revoke(id.toUpperCase()), 404, 'Not Found', 'in capitals')
    for (const bad of MALFORMED) refused(t, await revoke(bad), 404, 'Not Found', `${bad.slice(0, 40)} ${bad.length}`)
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200, 'and it goes on')
  })

  t.test('405 with what is allowed', async (t) => {
    const { id } = await authorize()
    const one = await call('GET', `/auth/clients/${id}`, { token: sessions.ann })
    refused(t, one, 405, 'Method Not Allowed')
    t.equal(one.headers.allow, 'PATCH, DELETE')
    const all = await call('DELETE', '/auth/clients', { token: sessions.ann })
    refused(t, all, 405, 'Method Not Allowed')
    t.equal(all.headers.allow, 'GET, HEAD')
  })
})

const HOME = 'https://app.example.com'
const OTHER = 'http://localhost:5173'
const STRANGERS = [
  'https://evil.example',
  'null',
  `${HOME}.evil.example`,
  'http://app.example.com',
  `${HOME}:8443`,
  'https://APP.example.com'
]
const ID = '00000000-0000-4000-8000-000000000000'

const FOR_PAGES = [
  ['GET', '/api/v0/auth/grant/peek?user_code=BBBBBBBB'],
  ['POST', '/api/v0/auth/grant/approve'],
  ['GET', '/api/v0/auth/clients'],
  ['PATCH', `/api/v0/auth/clients/${ID}`],
  ['DELETE', `/api/v0/auth/clients/${ID}`]
] as const
const FOR_PROGRAMS = [
  ['POST', '/api/v0/auth/grant/code'],
  ['POST', '/api/v0/auth/grant/token'],
  ['GET', '/healthz'],
  ['GET', '/metrics'],
  ['GET', '/openapi.json'],
  ['GET', '/api/v0/unknown'],
  ['GET', '/']
] as const

const corsHeaders = (headers: Record<string, unknown>) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'))

async function asking(t: Test, variables: Record<string, string>) {
  const { app } = await startApp(t, { LIMITS: 'off', ...variables })
  const authorization = `Bearer ${await sessionOf('ann')}`
  return {
    preflight: (origin: string, method: string, url: string) =>
      app.inject({
        method: 'OPTIONS',
        url,
        headers: {
          origin,
          'access-control-request-method': method,
          'access-control-request-headers': 'authorization,content-type'
        }
      }),
    send: (origin: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string) =>
      app.inject({ method, url, headers: { origin, authorization } })
  }
}

t.test('what a client token may do', async (t) => {
  const service = await startOAuthApp(t)
  const { call, tokens, session } = service
  const idOf = ({ access_token }: { access_token: string }) => String(decodeJwt(access_token).cid)
  const idsIn = async (token: string) =>
    (await call('GET', '/auth/clients', { token })).body.data.map(({ id }: { id: string }) => id).sort()
  const change = (method: 'PATCH' | 'DELETE', id: string, token: string) =>
    call(method, `/auth/clients/${id}`, { token, ...(method === 'PATCH' && { body: { label: 'taken' } }) })
  const METHODS = ['PATCH', 'DELETE'] as const
  const [cli, tv, box, theirs] = [
    await tokens(CLI, 'openid'),
    await tokens(TV, 'openid'),
    await tokens(BOX, 'openid offline_access'),
    await tokens(CLI, 'openid', 'bob')
  ]
  const all = [cli, tv, box]
  const user = await session('ann')
  const ids = all.map(idOf).sort()

  t.test('200 a built-in client lists all of the user, one of the operator itself', async (t) => {
    t.strictSame(await idsIn(user), ids)
    t.strictSame(await idsIn(cli.access_token), ids)
    for (const own of [tv, box]) t.strictSame(await idsIn(own.access_token), [idOf(own)])
    const [row] = (await call('GET', '/auth/clients', { token: box.access_token })).body.data
    t.match(row, { id: idOf(box), client_name: 'Box 2000', is_current: true, revoked_at: null })
    const refreshed = (await service.refresh(box.refresh_token, BOX, 'openid')).body.access_token
    t.strictSame(await idsIn(refreshed), [idOf(box)], 'a narrower scope changes nothing')
  })

  t.test('403 it changes no other client of its user, whatever its scope', async (t) => {
    const jwt = await service.collect('ann')
    for (const token of [jwt, ...all.map(({ access_token }) => access_token)]) {
      const [own, others] = [String(decodeJwt(token).cid), ids.filter((id) => id !== decodeJwt(token).cid)]
      for (const id of others) {
        for (const method of METHODS) refused(t, await change(method, id, token), 403, 'Access Forbidden', method)
      }
      const renamed = await call('PATCH', `/auth/clients/${own}`, { token, body: { label: 'mine' } })
      t.match([renamed.status, renamed.body], [200, { id: own, label: 'mine', is_current: true }])
    }
    await change('DELETE', String(decodeJwt(jwt).cid), jwt)
    for (const id of ids) t.match(await rowOf(id), { label: 'mine', revoked_at: null }, 'nothing was taken')
  })

  t.test('403 one of its user that has ended', async (t) => {
    const gone = await tokens(TV, 'openid')
    await change('DELETE', idOf(gone), user)
    for (const method of METHODS) refused(t, await change(method, idOf(gone), cli.access_token), 403)
  })

  t.test("404 somebody else's, an unknown one, and what is no id", async (t) => {
    for (const { access_token } of all) {
      for (const id of [
        idOf(theirs),
        '00000000-0000-4000-8000-000000000000',
        'x',
        '__proto__',
        idOf(cli).toUpperCase()
      ]) {
        for (const method of METHODS) refused(t, await change(method, id, access_token), 404, 'Not Found', id)
      }
    }
  })

  t.test('403 it looks at no grant, decides none, and reads no connection', async (t) => {
    const { user_code } = await service.start()
    const body = { user_code, action: 'approve' }
    for (const { access_token: token } of all) {
      refused(t, await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token }), 403, 'Access Forbidden')
      refused(t, await call('POST', '/auth/grant/approve', { token, body }), 403, 'Access Forbidden')
      refused(t, await call('GET', '/api/v0/oauthAccounts', { token }), 403, 'Access Forbidden')
    }
  })

  t.test('200 it ends itself, and 401 from then on', async (t) => {
    for (const own of all) {
      const ended = await change('DELETE', idOf(own), own.access_token)
      t.match([ended.status, ended.body.is_current], [200, true])
      for (const method of METHODS) refused(t, await change(method, idOf(own), own.access_token), 401)
    }
  })

  async function rowOf(id: string) {
    return (await call('GET', '/auth/clients', { token: user })).body.data.find((row: { id: string }) => row.id === id)
  }
})

t.test('CORS: none at all by default', async (t) => {
  const { preflight, send } = await asking(t, {})
  for (const [method, url] of [...FOR_PAGES, ...FOR_PROGRAMS]) {
    for (const origin of [HOME, 'null']) {
      const [asked, answered] = [await preflight(origin, method, url), await send(origin, method, url)]
      t.strictSame(corsHeaders(asked.headers), [], `OPTIONS ${url}`)
      t.strictSame(corsHeaders(answered.headers), [], `${method} ${url}`)
      t.ok(asked.statusCode === 405 || asked.statusCode === 404, `OPTIONS ${url}: ${asked.statusCode}`)
    }
  }
})

t.test('CORS_ORIGINS', async (t) => {
  const { preflight, send } = await asking(t, { CORS_ORIGINS: `${HOME}, ${OTHER}` })

  t.test('204 lets pages of these origins ask, without credentials', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      for (const origin of [HOME, OTHER]) {
        const { statusCode, headers } = await preflight(origin, method, url)
        t.equal(statusCode, 204, `${method} ${url}`)
        t.equal(headers['access-control-allow-origin'], origin)
        t.equal(headers['access-control-allow-credentials'], undefined)
        t.ok(String(headers['access-control-allow-methods']).split(/, */).includes(method))
        t.strictSame(String(headers['access-control-allow-headers']).split(/, */), ['authorization', 'content-type'])
        t.match(headers.vary, /Origin/i)
      }
    }
  })

  t.test('every answer names the origin, refusals too, and what a page may read of it', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      const { headers } = await send(HOME, method, url)
      t.equal(headers['access-control-allow-origin'], HOME, `${method} ${url}`)
      t.equal(headers['access-control-allow-credentials'], undefined)
      const exposed = String(headers['access-control-expose-headers']).split(/, */)
      t.strictSame(exposed, ['retry-after', 'www-authenticate', 'x-request-id'])
      t.match(headers.vary, /Origin/i)
      t.equal(headers['cache-control'], 'no-store')
    }
  })

  t.test('strangers are told nothing', async (t) => {
    for (const [method, url] of FOR_PAGES) {
      for (const origin of STRANGERS) {
        const [asked, answered] = [await preflight(origin, method, url), await send(origin, method, url)]
        for (const { headers } of [asked, answered]) {
          t.equal(headers['access-control-allow-origin'], undefined, `${origin} ${method} ${url}`)
          t.equal(headers['access-control-allow-credentials'], undefined)
        }
      }
    }
  })

  t.test('never on what programs call, nor elsewhere', async (t) => {
    for (const [method, url] of FOR_PROGRAMS) {
      const [asked, answered] = [await preflight(HOME, method, url), await send(HOME, method, url)]
      t.strictSame(corsHeaders(asked.headers), [], `OPTIONS ${url}`)
      t.strictSame(corsHeaders(answered.headers), [], `${method} ${url}`)
      t.ok(asked.statusCode === 405 || asked.statusCode === 404, `OPTIONS ${url}: ${asked.statusCode}`)
    }
  })
})
