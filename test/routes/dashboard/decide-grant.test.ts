/**
 * What ends a grant: GET /auth/grant/peek shows it, POST /auth/grant/approve approves or denies it, and
 * POST /auth/grant/revoke withdraws it.
 */
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { type Answer, startApp, type TestApp } from '../../support/app.js'
import { BOX, CLI, type Credentials, startOAuthApp, TV } from '../../support/oauth-app.js'
import { startRedis } from '../../support/redis-server.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const PEEK = '/auth/grant/peek'
const DECIDE = '/auth/grant/approve'
const WITHDRAW = '/auth/grant/revoke'
const GONE = 'Unknown or expired user_code.'
const peekUrl = (userCode: string) => `${PEEK}?user_code=${encodeURIComponent(userCode)}`

t.test('200 peek', async (t) => {
  const { call, start, poll } = await startApp(t, { LIMITS: 'off' })

  t.test('200 shows who asks, and never the grant code', async (t) => {
    const metadata = { name: 'acme-cli', version: '1.4.0', hostname: 'build-7', os: 'linux' }
    const { user_code, grant_code } = await start(metadata)
    const answer = await call('GET', peekUrl(user_code), { user: 'ann' })
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    t.strictSame(answer.body, { client_type: 'cli', client_metadata: metadata }, 'and nothing that is not known')
    t.notOk(JSON.stringify(answer).includes(grant_code))
  })

  t.test('200 what was not given is left out, never null', async (t) => {
    const { user_code } = await start({ os: 'linux' })
    t.strictSame((await call('GET', peekUrl(user_code), { user: 'ann' })).body, {
      client_type: 'cli',
      client_metadata: { os: 'linux' }
    })
    const { body } = await call('POST', '/auth/grant/code', { body: { client_type: 'other' } })
    const bare = (await call('GET', peekUrl(body.user_code), { user: 'ann' })).body
    t.equal(bare.client_type, 'other')
    t.notMatch(JSON.stringify(bare), /null/)
  })

  t.test('200 in any case, with or without spaces and hyphens', async (t) => {
    const { user_code } = await start()
    const [left = '', right = ''] = user_code.split('-')
    const spellings = [
      user_code.toLowerCase(),
      left + right,
      `${left} ${right}`,
      ` ${left.toLowerCase()}${right} `,
      [...(left + right)].join('-'),
      `${left}\u2013${right}`,
      `${left}\u2011${right}`,
      `${left}\u00a0${right}\t`,
      `${left}-${right}`.padEnd(64, ' ')
    ]
    for (const spelling of spellings) {
      t.equal((await call('GET', peekUrl(spelling), { user: 'ann' })).status, 200, JSON.stringify(spelling))
    }
  })

  t.test('200 as often as wanted, by anybody signed in, and it changes nothing', async (t) => {
    const { user_code, grant_code } = await start()
    for (const user of ['ann', 'bob', 'ann']) t.equal((await call('GET', peekUrl(user_code), { user })).status, 200)
    t.strictSame((await poll(grant_code)).body, { status: 'authorization_pending' })
  })

  t.test('200 other query parameters do not matter', async (t) => {
    const { user_code } = await start()
    t.equal((await call('GET', `${peekUrl(user_code)}&x=1&x=2&__proto__=3`, { user: 'ann' })).status, 200)
  })

  t.test('200 the scheme of the token in any case', async (t) => {
    const { user_code } = await start()
    const token = await sessionOf('ann')
    for (const scheme of ['bearer', 'BEARER', 'Bearer  ']) {
      const headers = { authorization: `${scheme} ${token}` }
      t.equal((await call('GET', peekUrl(user_code), { headers })).status, 200, scheme)
    }
  })
})

t.test('200 with what an OAuth client asks for', async (t) => {
  const { call, authorize, redeem } = await startOAuthApp(t)
  const seen = async (client: Credentials, scope?: string) => {
    const { user_code } = await authorize(client, scope)
    const answer = await call('GET', peekUrl(user_code), { user: 'ann' })
    t.equal(answer.status, 200)
    apiHeaders(t, answer)
    return answer.body
  }

  t.test('200 a client of the operator’s, by its id, under the operator’s name for it', async (t) => {
    t.strictSame(await seen(BOX, 'reports.read openid'), {
      client_type: 'other',
      client_metadata: {},
      client_id: 'box',
      client_name: 'Box 2000',
      scope: 'reports.read openid'
    })
  })

  t.test('200 what it has no name for and does not ask for is left out', async (t) => {
    t.strictSame(await seen(TV), { client_type: 'other', client_metadata: {}, client_id: 'tv' })
    t.strictSame(await seen(TV, ''), { client_type: 'other', client_metadata: {}, client_id: 'tv' })
  })

  t.test('200 a built-in client is its type and no more, whatever it asks for', async (t) => {
    t.strictSame(await seen(CLI), { client_type: 'cli', client_metadata: {} })
    t.strictSame(await seen({ client_id: 'ide-plugin' }, 'offline_access email openid'), {
      client_type: 'ide-plugin',
      client_metadata: {},
      scope: 'offline_access email openid'
    })
  })

  t.test('200 each scope once, in the order they were asked for', async (t) => {
    t.equal((await seen(CLI, '  openid email  openid profile email ')).scope, 'openid email profile')
  })

  t.test('200 what is shown is what the token carries', async (t) => {
    const { device_code, user_code } = await authorize(BOX, 'reports.write openid')
    const { scope } = (await call('GET', peekUrl(user_code), { user: 'ann' })).body
    await call('POST', DECIDE, { user: 'ann', body: { user_code, action: 'approve' } })
    const { body } = await redeem(device_code, BOX)
    t.equal(body.scope, scope)
    t.equal(decodeJwt(body.access_token).scope, scope)
  })

  t.test('200 a client that has been taken out of the file since still has its id, and no name', async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const place = { REDIS_URL: redis.url }
    const { user_code } = await (await startOAuthApp(t, place)).authorize(BOX, 'openid')
    const without = await startApp(t, place)
    t.strictSame((await without.call('GET', peekUrl(user_code), { user: 'ann' })).body, {
      client_type: 'other',
      client_metadata: {},
      client_id: 'box',
      scope: 'openid'
    })
  })
})

t.test('200 with locations, behind a trusted edge', async (t) => {
  const edge = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '127.0.0.1', LIMITS: 'off' }
  const { app, call } = await startApp(t, edge)
  type Place = [city?: string | undefined, region?: string | undefined, country?: string | undefined]
  const at = ([city, region, country]: Place) => ({
    ...(city !== undefined && { 'cf-ipcity': city }),
    ...(region !== undefined && { 'cf-region': region }),
    ...(country !== undefined && { 'cf-ipcountry': country })
  })
  const startAt = async (place: Place) =>
    (await call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers: at(place) })).body.user_code
  const seen = async (from: Place, to: Place) => {
    const user_code = await startAt(from)
    const { body } = await call('GET', peekUrl(user_code), { user: 'ann', headers: at(to) })
    const { client_type: _type, client_metadata: _metadata, ...rest } = body
    return rest
  }

  t.test('200 both known and alike', async (t) => {
    t.strictSame(await seen(['Oslo', 'Oslo County', 'NO'], ['Bergen', 'Vestland', 'NO']), {
      requester_location: 'Oslo, Oslo County, NO',
      approver_location: 'Bergen, Vestland, NO',
      country_mismatch: false
    })
  })

  t.test('200 both known and different', async (t) => {
    t.strictSame(await seen(['Oslo', undefined, 'NO'], [undefined, undefined, 'SE']), {
      requester_location: 'Oslo, NO',
      approver_location: 'SE',
      country_mismatch: true
    })
  })

  t.test('200 no word on a mismatch unless both countries are known', async (t) => {
    for (const [from, to] of [
      [[], ['Oslo', 'Oslo', 'NO']],
      [['Oslo', 'Oslo', 'NO'], []],
      [
        ['Oslo', 'Oslo'],
        ['Oslo', 'Oslo', 'NO']
      ],
      [
        [undefined, undefined, 'XX'],
        [undefined, undefined, 'NO']
      ],
      [
        [undefined, undefined, 'T1'],
        [undefined, undefined, 'NO']
      ],
      [
        [undefined, undefined, 'XX'],
        [undefined, undefined, 'XX']
      ],
      [
        [undefined, undefined, 'NO'],
        [undefined, undefined, 'no']
      ],
      [[], []]
    ] as [Place, Place][]) {
      const answer = await seen(from, to)
      t.notOk('country_mismatch' in answer, JSON.stringify([from, to]))
      t.equal('requester_location' in answer, from.length > 0)
      t.equal('approver_location' in answer, to.length > 0)
    }
  })

  t.test('200 a location has at most 256 characters', async (t) => {
    const answer = await seen(['x'.repeat(300), 'y', 'NO'], ['x'.repeat(250), 'yy', 'NO'])
    t.equal(answer.requester_location, 'x'.repeat(256))
    t.equal(answer.approver_location, `${'x'.repeat(250)}, yy, `.slice(0, 256))
    t.equal(answer.country_mismatch, false)
    const onTheEdge = Buffer.from(`${'x'.repeat(255)}😀é`).toString('latin1')
    t.match(await seen([onTheEdge], []), { requester_location: `${'x'.repeat(255)}😀` }, 'none of them in half')
  })

  t.test('200 UTF-8 of the edge is read as such', async (t) => {
    const latin1 = (text: string) => Buffer.from(text).toString('latin1')
    const answer = await seen([latin1('São Paulo'), undefined, 'BR'], [latin1('東京'), undefined, 'JP'])
    t.equal(answer.requester_location, 'São Paulo, BR')
    t.equal(answer.approver_location, '東京, JP')
  })

  t.test('200 the headers of somebody who is not the edge are nobody', async (t) => {
    const { json } = await app.inject({
      method: 'POST',
      url: '/api/v0/auth/grant/code',
      remoteAddress: '203.0.113.9',
      headers: at(['Oslo', 'Oslo', 'NO']),
      payload: { client_type: 'cli' }
    })
    const { body } = await call('GET', peekUrl(json().user_code), { user: 'ann', headers: at(['Oslo', 'Oslo', 'NO']) })
    t.notOk('requester_location' in body)
    t.ok('approver_location' in body)
  })
})

t.test('200 without EDGE_HEADERS nothing of that is believed', async (t) => {
  const { call } = await startApp(t, { TRUST_PROXY: '127.0.0.1' })
  const headers = { 'cf-ipcity': 'Oslo', 'cf-region': 'Oslo', 'cf-ipcountry': 'NO' }
  const { user_code } = (await call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers })).body
  const { body } = await call('GET', peekUrl(user_code), { user: 'ann', headers })
  t.strictSame(body, { client_type: 'cli', client_metadata: {} })
})

t.test('4xx peek', async (t) => {
  const { clock, call, start, decide, collect } = await startApp(t, { LIMITS: 'off' })

  t.test('400 user_code is missing, empty, too long or there twice', async (t) => {
    const user = 'ann'
    refused(t, await call('GET', PEEK, { user }), 400, 'user_code is missing.')
    refused(t, await call('GET', '/auth/grant/peek?User_Code=x', { user }), 400, 'user_code is missing.')
    refused(t, await call('GET', peekUrl(''), { user }), 400, /^user_code must NOT have fewer/)
    refused(t, await call('GET', peekUrl('x'.repeat(65)), { user }), 400, /^user_code must NOT have more/)
    refused(t, await call('GET', peekUrl('x'.repeat(64)), { user }), 404, GONE)
    refused(t, await call('GET', `${peekUrl('x')}&user_code=y`, { user }), 400, /^user_code must be string/)
    refused(t, await call('GET', '/auth/grant/peek?user_code[]=x', { user }), 400, 'user_code is missing.')
  })

  t.test('401 without a valid JWT of a user, whatever else is wrong', async (t) => {
    const { user_code } = await start()
    const answer = await call('GET', peekUrl(user_code))
    refused(t, answer, 401, 'No jwt provided!')
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    refused(t, await call('GET', PEEK), 401, 'No jwt provided!', 'before the query is looked at')
    refused(t, await call('GET', peekUrl(user_code), { token: 'x.y.z' }), 401, 'The jwt is not valid.')
    const old = await sessionOf('ann', { expires: '1s' })
    // The session was signed by the real clock, which has gone on since the test's clock began to stand still.
    clock.advance(120_000)
    refused(t, await call('GET', peekUrl(user_code), { token: old }), 401, 'The jwt is not valid.')
  })

  t.test('403 a client JWT may not peek', async (t) => {
    const { user_code } = await start()
    const token = await collect('ann')
    refused(t, await call('GET', peekUrl(user_code), { token }), 403, 'Access Forbidden')
    refused(
      t,
      await call('GET', peekUrl('BBBBBBBB'), { token }),
      403,
      'Access Forbidden',
      'before the code is looked at'
    )
  })

  t.test('404 unknown, decided and expired, all in the same words', async (t) => {
    const user = 'ann'
    const [approved, denied, expired] = [await start(), await start(), await start()]
    await decide(approved.user_code, user, 'approve')
    await decide(denied.user_code, user, 'deny')
    const codes = ['BBBB-BBBB', 'AEIO-UAEI', 'x', '-', '__proto__', '\u0000', approved.user_code, denied.user_code]
    for (const code of codes) refused(t, await call('GET', peekUrl(code), { user }), 404, GONE, JSON.stringify(code))
    refused(t, await call('GET', peekUrl(approved.user_code), { user: 'bob' }), 404, GONE)
    const token = await sessionOf(user, { expires: '1d' })
    clock.advance(900_000)
    refused(t, await call('GET', peekUrl(expired.user_code), { token }), 404, GONE, 'expired')
    clock.advance(300_000)
    refused(t, await call('GET', peekUrl(expired.user_code), { token }), 404, GONE, 'forgotten')
  })

  t.test('405 with what is allowed', async (t) => {
    const answer = await call('POST', PEEK, { user: 'ann', body: {} })
    refused(t, answer, 405, 'Method Not Allowed')
    t.equal(answer.headers.allow, 'GET, HEAD')
  })
})

t.test('200 decide', async (t) => {
  const { call, start, poll, decide } = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })

  for (const [action, status] of [
    ['approve', 'approved'],
    ['deny', 'access_denied']
  ] as const) {
    t.test(`200 ${action} answers with the same verb, and the poller hears ${status}`, async (t) => {
      const { grant_code, user_code } = await start()
      const answer = await decide(user_code, 'ann', action)
      t.equal(answer.status, 200)
      apiHeaders(t, answer)
      t.strictSame(answer.body, { status: action })
      t.equal((await poll(grant_code)).body.status, status)
    })

    t.test(`200 ${action} again by the same user, before and after it was collected`, async (t) => {
      const { grant_code, user_code } = await start()
      for (let i = 0; i < 3; i++) t.strictSame((await decide(user_code, 'ann', action)).body, { status: action })
      await poll(grant_code)
      const again = await decide(user_code, 'ann', action)
      t.strictSame([again.status, again.body], [200, { status: action }])
      t.equal((await poll(grant_code)).body.status, status, 'and nothing changes')
    })
  }

  t.test('200 the code as it was typed', async (t) => {
    const { grant_code, user_code } = await start()
    t.equal((await decide(` ${user_code.toLowerCase().replace('-', ' \u2013 ')} `, 'ann', 'deny')).status, 200)
    t.equal((await poll(grant_code)).body.status, 'access_denied')
  })

  t.test('200 other fields do not matter', async (t) => {
    const { grant_code, user_code } = await start()
    const body = { user_code, action: 'approve', user_id: 'bob', sub: 'bob', status: 'deny', grant_code: 'x' }
    t.strictSame((await call('POST', DECIDE, { user: 'ann', body })).body, { status: 'approve' })
    const { jwt } = (await poll(grant_code)).body
    t.equal(JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString()).sub, 'ann')
  })

  t.test('200 of many decisions at once one stands', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { grant_code, user_code } = await start()
      const attempts = Array.from({ length: 20 }, (_, i) => ({
        user: `user-${i % 5}`,
        action: i % 2 === 0 ? ('approve' as const) : ('deny' as const)
      }))
      const answers = await Promise.all(attempts.map(({ user, action }) => decide(user_code, user, action)))
      const winners = attempts.filter((_, i) => answers[i]?.status === 200)
      t.ok(winners.length > 0)
      t.equal(new Set(winners.map(({ user, action }) => `${user} ${action}`)).size, 1, 'one user, one action')
      t.ok(answers.every(({ status }) => status === 200 || status === 404))
      const wanted = winners[0]?.action === 'approve' ? 'approved' : 'access_denied'
      t.equal((await poll(grant_code)).body.status, wanted)
    }
  })
})

t.test('200 the same decision again for as long as the record lives', async (t) => {
  const { clock, call, start } = await startApp(t, { LIMITS: 'off' })
  const token = await sessionOf('ann', { expires: '1d' })
  const { user_code } = await start()
  const body = { user_code, action: 'deny' }
  const send = () => call('POST', DECIDE, { token, body })
  t.equal((await send()).status, 200)
  clock.advance(1_200_000 - 1)
  t.equal((await send()).status, 200)
  clock.advance(1)
  refused(t, await send(), 404, GONE)
})

t.test('4xx decide', async (t) => {
  const { clock, call, start, poll, decide, collect } = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  const pending = (grantCode: string) => poll(grantCode).then(({ body }) => body.status)

  t.test('400 user_code and action are both required, and texts of the right kind', async (t) => {
    const { grant_code, user_code } = await start()
    const user = 'ann'
    refused(t, await call('POST', DECIDE, { user, body: {} }), 400, 'user_code is missing.')
    refused(t, await call('POST', DECIDE, { user, body: { user_code } }), 400, 'action is missing.')
    refused(t, await call('POST', DECIDE, { user, body: { action: 'deny' } }), 400, 'user_code is missing.')
    for (const action of ['', 'Approve', 'approved', 'denied', null, 1, true, ['approve'], {}]) {
      refused(t, await call('POST', DECIDE, { user, body: { user_code, action } }), 400, /^action must/, `${action}`)
    }
    for (const code of ['', 'x'.repeat(65), null, 5, true, [user_code], { user_code }]) {
      const body = { user_code: code, action: 'approve' }
      refused(t, await call('POST', DECIDE, { user, body }), 400, /^user_code must/, JSON.stringify(code))
    }
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('401 without a valid JWT of a user, and nothing is decided', async (t) => {
    const { grant_code, user_code } = await start()
    const body = { user_code, action: 'approve' }
    const answer = await call('POST', DECIDE, { body })
    refused(t, answer, 401, 'No jwt provided!')
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    const token = await sessionOf('ann', { secret: 'somebody else signs with a secret of their own' })
    refused(t, await call('POST', DECIDE, { token, body }), 401, 'The jwt is not valid.')
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('403 a client JWT may not decide', async (t) => {
    const { grant_code, user_code } = await start()
    const token = await collect('ann')
    for (const action of ['approve', 'deny']) {
      refused(t, await call('POST', DECIDE, { token, body: { user_code, action } }), 403, 'Access Forbidden')
    }
    t.equal(await pending(grant_code), 'authorization_pending')
  })

  t.test('401 a revoked client JWT is not even forbidden', async (t) => {
    const { user_code } = await start()
    const token = await collect('ann')
    const { cid } = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())
    await call('DELETE', `/auth/clients/${cid}`, { user: 'ann' })
    const body = { user_code, action: 'approve' }
    refused(t, await call('POST', DECIDE, { token, body }), 401, 'The jwt is not valid.')
  })

  for (const first of ['approve', 'deny'] as const) {
    const second = first === 'approve' ? 'deny' : 'approve'
    t.test(`404 anything else after ${first}`, async (t) => {
      const { grant_code, user_code } = await start()
      await decide(user_code, 'ann', first)
      refused(t, await decide(user_code, 'ann', second), 404, GONE, 'another action by the same user')
      refused(t, await decide(user_code, 'bob', first), 404, GONE, 'the same action by another user')
      refused(t, await decide(user_code, 'bob', second), 404, GONE, 'another action by another user')
      t.equal(await pending(grant_code), first === 'approve' ? 'approved' : 'access_denied')
      refused(t, await decide(user_code, 'ann', second), 404, GONE, 'after it was heard')
    })
  }

  t.test('404 unknown and malformed codes', async (t) => {
    for (const code of ['BBBB-BBBB', 'AEIO-UAEI', 'x', '-', ' ', '__proto__', 'BBBB-BBBBB', '\u0000'.repeat(8)]) {
      refused(t, await decide(code, 'ann'), 404, GONE, JSON.stringify(code))
    }
    const { grant_code } = await start()
    refused(t, await decide(grant_code, 'ann'), 404, GONE, 'the grant code is no user code')
  })

  t.test('404 when the fifteen minutes are over', async (t) => {
    const [last, late] = [await start(), await start()]
    const token = await sessionOf('ann', { expires: '1d' })
    const approve = (user_code: string) => call('POST', DECIDE, { token, body: { user_code, action: 'approve' } })
    clock.advance(900_000 - 1)
    t.equal((await approve(last.user_code)).status, 200)
    clock.advance(1)
    refused(t, await approve(late.user_code), 404, GONE)
    t.equal(await pending(last.grant_code), 'approved')
    t.equal(await pending(late.grant_code), 'expired_token')
  })
})

const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }

const withdraw = ({ call }: TestApp, grant_code: string) => call('POST', WITHDRAW, { body: { grant_code } })

function revoked(t: Test, answer: Answer, about: string): void {
  t.strictSame([answer.status, answer.body], [200, { status: 'revoked' }], about)
  apiHeaders(t, answer, about)
}

async function withdrawals(t: Test, service: TestApp): Promise<void> {
  const { call, start, poll, decide, clock } = service

  t.test('200 what waits cannot be approved any more, and the poll says so', async (t) => {
    const { grant_code, user_code } = await start()
    t.equal((await poll(grant_code)).body.status, 'authorization_pending')
    revoked(t, await withdraw(service, grant_code), 'the first time')
    t.strictSame((await poll(grant_code)).body, { status: 'expired_token' })
    for (const action of ['approve', 'deny'] as const) refused(t, await decide(user_code, 'ann', action), 404, GONE)
    refused(t, await call('GET', peekUrl(user_code), { user: 'ann' }), 404, GONE)
    revoked(t, await withdraw(service, grant_code), 'again')
    t.strictSame((await call('GET', '/auth/clients', { user: 'ann' })).body, { data: [] })
  })

  t.test('200 what was approved and not collected is not handed out, and is listed as revoked', async (t) => {
    const { grant_code, user_code } = await start({ hostname: 'here' })
    await decide(user_code, 'bea')
    revoked(t, await withdraw(service, grant_code), 'approved')
    t.strictSame((await poll(grant_code)).body, { status: 'access_denied' })
    const [row, ...others] = (await call('GET', '/auth/clients', { user: 'bea' })).body.data
    t.strictSame([row.label, typeof row.revoked_at, others], ['here', 'string', []])
  })

  t.test('200 the token of what was collected is refused from the next request on', async (t) => {
    const { grant_code, user_code } = await start()
    await decide(user_code, 'cleo')
    const token = (await poll(grant_code)).body.jwt
    t.equal((await call('GET', '/auth/clients', { token })).status, 200)
    // The code is spent by then, and the record still exists.
    clock.advance(60_000)
    revoked(t, await withdraw(service, grant_code), 'collected')
    refused(t, await call('GET', '/auth/clients', { token }), 401)
    const { data } = (await call('GET', '/auth/clients', { user: 'cleo' })).body
    const first = data.find(({ id }: { id: string }) => id === decodeJwt(token).cid).revoked_at
    clock.advance(1_000)
    revoked(t, await withdraw(service, grant_code), 'again')
    t.equal(
      (await call('GET', '/auth/clients', { user: 'cleo' })).body.data[0].revoked_at,
      first,
      'the first time stays'
    )
  })

  t.test('200 for whatever there is nothing to withdraw of, and nothing of it changes', async (t) => {
    const [denied, waiting] = [await start(), await start()]
    await decide(denied.user_code, 'ann', 'deny')
    const nothing = [denied.grant_code, 'A'.repeat(43), 'x', ' ', '\u0000', '😀'.repeat(128), waiting.user_code]
    for (const code of [...nothing, `${waiting.grant_code}=`]) revoked(t, await withdraw(service, code), code)
    t.strictSame((await poll(denied.grant_code)).body, { status: 'access_denied' })
    t.strictSame((await poll(waiting.grant_code)).body, { status: 'authorization_pending' })
    t.equal((await decide(waiting.user_code, 'ann')).status, 200)
  })

  t.test('200 approved and withdrawn at once: it is one or the other, and no token of it counts', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { grant_code, user_code } = await start()
      const [approval, , polled] = await Promise.all([
        decide(user_code, 'dora'),
        withdraw(service, grant_code),
        poll(grant_code)
      ])
      if (polled.body.jwt) refused(t, await call('GET', '/auth/clients', { token: polled.body.jwt }), 401)
      const expected = approval.status === 200 ? 'access_denied' : 'expired_token'
      t.strictSame((await poll(grant_code)).body, { status: expected }, `${approval.status}`)
    }
  })
}

t.test('withdraw in memory', async (t) => withdrawals(t, await startApp(t, freely)))

t.test('withdraw over Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await withdrawals(t, await startApp(t, { ...freely, REDIS_URL: redis.url }))
})

t.test('200 a grant of a client that is not built in stays as it is', async (t) => {
  const service = await startOAuthApp(t)
  const { device_code } = await service.authorize(BOX, 'openid')
  revoked(t, await withdraw(service, device_code), 'it says the same')
  t.equal((await service.redeem(device_code, BOX)).body.error, 'authorization_pending')
})

t.test('400 grant_code must be a text of 1 to 128 characters', async (t) => {
  const { call } = await startApp(t)
  refused(t, await call('POST', WITHDRAW, { body: {} }), 400, 'grant_code is missing.')
  for (const grant_code of ['', 'x'.repeat(129), null, 5, true, ['x'], { code: 'x' }]) {
    refused(t, await call('POST', WITHDRAW, { body: { grant_code } }), 400, /^grant_code must /, typeof grant_code)
  }
  for (const body of [null, [], 'x', 5])
    refused(t, await call('POST', WITHDRAW, { body }), 400, /^The body must be object/)
})

t.test('405 with what is allowed', async (t) => {
  const { call } = await startApp(t)
  const answer = await call('GET', WITHDRAW)
  refused(t, answer, 405, 'Method Not Allowed')
  t.equal(answer.headers.allow, 'POST')
})

t.test('429 counts with the revocations of tokens, by address', async (t) => {
  const service = await startApp(t, { LIMIT_REVOKE_PER_MINUTE: '2' })
  revoked(t, await withdraw(service, 'x'), 'the first')
  const token = await service.call('POST', '/oauth/revoke', { body: { client_id: 'cli', token: 'x' } })
  t.equal(token.status, 200)
  const answer = await withdraw(service, 'x')
  refused(t, answer, 429, 'Too many requests. Please try again later.')
  t.equal(answer.headers['retry-after'], '60')
})
