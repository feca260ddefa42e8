import { decodeJwt } from 'jose'
import t from 'tap'
import { startApp } from '../../support/app.js'
import { BOX, CLI, type Credentials, startOAuthApp, TV } from '../../support/oauth-app.js'
import { startRedis } from '../../support/redis-server.js'
import { sessionOf } from '../../support/tokens.js'
import { apiHeaders, refused } from '../expectations.js'

const peekUrl = (userCode: string) => `/auth/grant/peek?user_code=${encodeURIComponent(userCode)}`
const GONE = 'Unknown or expired user_code.'

t.test('200', async (t) => {
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
    await call('POST', '/auth/grant/approve', { user: 'ann', body: { user_code, action: 'approve' } })
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

t.test('4xx', async (t) => {
  const { clock, call, start, decide, collect } = await startApp(t, { LIMITS: 'off' })

  t.test('400 user_code is missing, empty, too long or there twice', async (t) => {
    const user = 'ann'
    refused(t, await call('GET', '/auth/grant/peek', { user }), 400, 'user_code is missing.')
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
    refused(t, await call('GET', '/auth/grant/peek'), 401, 'No jwt provided!', 'before the query is looked at')
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
    const answer = await call('POST', '/auth/grant/peek', { user: 'ann', body: {} })
    refused(t, answer, 405, 'Method Not Allowed')
    t.equal(answer.headers.allow, 'GET, HEAD')
  })
})
