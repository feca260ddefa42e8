/**
 * POST /oauth/device_authorization, and POST /oauth/token with a device code. test/core/tokens/refresh-tokens.test.ts
 * covers refresh tokens.
 */
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import t from 'tap'
import type { Answer } from '../../support/app.js'
import {
  API,
  BOX,
  basicAuth,
  CLI,
  type Credentials,
  clientsFile,
  DEVICE_CODE,
  startOAuthApp,
  TV
} from '../../support/oauth-app.js'
import { signedIn } from '../../support/visitor.js'
import { oauthHeaders, oauthRefused, refused } from '../expectations.js'

const START = '/oauth/device_authorization'
const TOKEN = '/oauth/token'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

t.test('a device authorization', async (t) => {
  t.test('200 has everything a client needs, and nothing else', async (t) => {
    const { post } = await startOAuthApp(t, { PUBLIC_URL: 'https://grants.example' })
    const answer = await post(START, CLI)
    t.equal(answer.status, 200)
    oauthHeaders(t, answer)
    const { device_code, user_code, ...rest } = answer.body
    t.match(device_code, /^[\w-]{43}$/)
    t.match(user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    t.strictSame(rest, {
      verification_uri: 'https://grants.example/device',
      verification_uri_complete: `https://grants.example/device?code=${user_code}`,
      expires_in: 900,
      interval: 5
    })
  })

  t.test('200 follows the configuration', async (t) => {
    const { post } = await startOAuthApp(t, {
      VERIFICATION_URI: 'https://www.example/activate',
      GRANT_TTL_SECONDS: '600',
      POLL_INTERVAL_SECONDS: '7'
    })
    const { body } = await post(START, CLI)
    t.match(body, { verification_uri: 'https://www.example/activate', expires_in: 600, interval: 7 })
    t.equal(body.verification_uri_complete, `https://www.example/activate?code=${body.user_code}`)
  })

  t.test('200 to every client that proves who it is, in each of the ways it can', async (t) => {
    const { post, call } = await startOAuthApp(t)
    const ways: Record<string, () => Promise<Answer>> = {
      'a public client names itself': () => post(START, CLI),
      'a configured one as well': () => post(START, TV),
      'a secret in the body': () => post(START, BOX),
      'a secret in the header': () => post(START, {}, basicAuth(BOX)),
      'the same id and secret in both places': () => post(START, BOX, basicAuth(BOX)),
      'the same id in both places': () => post(START, { client_id: 'box' }, basicAuth(BOX)),
      'a public client in the header': () => post(START, {}, basicAuth(CLI)),
      'the scheme in another case': () =>
        post(START, {}, { authorization: basicAuth(BOX).authorization.replace('Basic', 'bASIC') }),
      'JSON with a secret': () => call('POST', START, { body: BOX }),
      'JSON of a public client': () => call('POST', START, { body: { ...CLI, scope: 'openid' } }),
      'what is empty is not there': () => post(START, { ...CLI, client_secret: '', scope: '' }),
      'what nobody knows is ignored': () => post(START, { ...CLI, audience: 'x', __proto__: 'z' }),
      'a charset in the media type': () =>
        post(START, CLI, { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' })
    }
    for (const [way, ask] of Object.entries(ways)) {
      const answer = await ask()
      t.equal(answer.status, 200, way)
      oauthHeaders(t, answer, way)
    }
  })

  t.test('200 what a program says of itself is shown as its own word, and becomes label and version', async (t) => {
    const service = await startOAuthApp(t)
    const { post, call, session, approve, clock } = service
    const token = await session('ann')
    const said = async (parameters: Record<string, string>, headers = {}) => {
      clock.advance(1_000)
      const { body } = await post(START, { ...CLI, ...parameters }, headers)
      const { client_metadata } = (await call('GET', `/auth/grant/peek?user_code=${body.user_code}`, { token })).body
      await approve(body.user_code)
      const [row] = (await call('GET', '/auth/clients', { token })).body.data
      t.strictSame([row.label, row.client_version], [client_metadata.hostname ?? null, client_metadata.version ?? null])
      return client_metadata
    }
    const named = { device_name: 'Ann’s laptop', client_version: '1.4.0' }
    t.strictSame(await said(named), { hostname: 'Ann’s laptop', version: '1.4.0' })
    t.strictSame(await said(named, { 'user-agent': 'gh/2.40.1' }), { hostname: 'Ann’s laptop', version: '1.4.0' })
    t.strictSame(await said({ device_name: '', client_version: '' }), {}, 'what is empty is not there')
    const [longest, long] = ['x'.repeat(255), 'x'.repeat(64)]
    t.strictSame(await said({ device_name: longest, client_version: long }), { hostname: longest, version: long })

    const linux = await said({}, { 'user-agent': 'GitHub CLI 2.40.1 (linux; amd64)' })
    const mac = await said({}, { 'user-agent': 'GitHub CLI 2.40.1 (darwin; arm64)' })
    t.strictSame([linux, mac], [{ hostname: 'GitHub CLI 2.40.1 (Linux)' }, { hostname: 'GitHub CLI 2.40.1 (macOS)' }])

    const { user_code } = (await post(START, { ...CLI, device_name: 'build-7', client_version: '9.9' })).body
    const ann = await signedIn(service)
    const page = await ann.enter(user_code)
    for (const claim of ['build-7', '9.9']) t.match(page.body, `<q><bdi>${claim}</bdi></q>`)
  })

  t.test('400 for more than is shown, or said twice', async (t) => {
    const { post, app } = await startOAuthApp(t)
    for (const [name, most] of Object.entries({ device_name: 255, client_version: 64 })) {
      const refused = await post(START, { ...CLI, [name]: 'x'.repeat(most + 1) })
      t.match(refused, { status: 400, body: { error: 'invalid_request', error_description: name } })
      t.match(await post(START, { ...CLI, [name]: ['a', 'b'] }), { status: 400, body: { error: 'invalid_request' } })
      for (const payload of [
        { ...CLI, [name]: 5 },
        { ...CLI, [name]: ['a'] },
        { ...CLI, [name]: null }
      ]) {
        t.equal((await app.inject({ method: 'POST', url: START, payload })).statusCode, 400)
      }
    }
  })

  t.test('401 to everybody else, with a challenge only to who used the header', async (t) => {
    const { post } = await startOAuthApp(t)
    const BASIC = 'Basic realm="grantd"'
    const rows: [
      about: string,
      parameters: Record<string, string>,
      headers: Record<string, string>,
      challenge?: string
    ][] = [
      ['an unknown client', { client_id: 'nobody' }, {}],
      ['a known one in another case', { client_id: 'CLI' }, {}],
      ['a wrong secret', { ...BOX, client_secret: 'wrong' }, {}],
      ['no secret', { client_id: 'box' }, {}],
      ['a public client with a secret', { ...CLI, client_secret: 'x' }, {}],
      ['a wrong secret in the header', {}, basicAuth({ ...BOX, client_secret: 'wrong' }), BASIC],
      ['no secret in the header', {}, basicAuth({ client_id: 'box' }), BASIC],
      ['an unknown client in the header', {}, basicAuth({ client_id: 'nobody', client_secret: 'x' }), BASIC],
      ['a public client with a secret in the header', {}, basicAuth({ ...CLI, client_secret: 'x' }), BASIC],
      ['another id in the body', { client_id: 'cli' }, basicAuth(BOX), BASIC],
      ['a token', CLI as Record<string, string>, { authorization: 'Bearer x' }, BASIC]
    ]
    for (const [about, parameters, headers, challenge] of rows) {
      t.comment(about)
      oauthRefused(t, await post(START, parameters, headers), 401, 'invalid_client', challenge)
    }
  })

  t.test('400 without any client, or with two ways to prove it', async (t) => {
    const { post } = await startOAuthApp(t)
    oauthRefused(t, await post(START, {}), 400, 'invalid_request')
    oauthRefused(t, await post(START, { client_id: '' }), 400, 'invalid_request')
    oauthRefused(t, await post(START, { client_secret: 'x' }, basicAuth(BOX)), 400, 'invalid_request')
  })

  t.test('400 unauthorized_client for one that gets no tokens', async (t) => {
    const { post } = await startOAuthApp(t)
    oauthRefused(t, await post(START, API), 400, 'unauthorized_client')
  })

  t.test('400 invalid_scope for what the client may not ask for, or is none', async (t) => {
    const { post } = await startOAuthApp(t)
    const rows: [Credentials, string][] = [
      [CLI, 'admin'],
      [CLI, 'openid admin'],
      [CLI, 'reports.read'],
      [TV, 'profile'],
      [BOX, 'profile'],
      [CLI, 'OpenID'],
      [CLI, 'openid,profile'],
      [CLI, 'openid\tprofile'],
      [CLI, '"openid"'],
      [CLI, 'öpenid']
    ]
    for (const [client, scope] of rows) oauthRefused(t, await post(START, { ...client, scope }), 400, 'invalid_scope')
    for (const scope of ['openid profile email offline_access', 'openid openid', '  openid  ', '']) {
      t.equal((await post(START, { ...CLI, scope })).status, 200, `"${scope}"`)
    }
  })
})

t.test('a poll', async (t) => {
  t.test('400 authorization_pending has an error and nothing else', async (t) => {
    const { authorize, redeem } = await startOAuthApp(t)
    const answer = await redeem((await authorize()).device_code)
    oauthRefused(t, answer, 400, 'authorization_pending')
    t.strictSame(answer.body, { error: 'authorization_pending' })
    t.notOk('retry-after' in answer.headers)
    t.notOk('preference-applied' in answer.headers)
  })

  t.test('400 slow_down names the new pace, in the body and as Retry-After', async (t) => {
    const { clock, authorize, redeem } = await startOAuthApp(t)
    const { device_code } = await authorize()
    for (let i = 0; i < 2; i++) await redeem(device_code)
    for (const interval of [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60]) {
      const answer = await redeem(device_code)
      t.strictSame([answer.status, answer.body], [400, { error: 'slow_down', interval }])
      oauthHeaders(t, answer)
      t.equal(answer.headers['retry-after'], `${interval}`)
      t.notOk('www-authenticate' in answer.headers)
    }
    clock.advance(60_000)
    t.strictSame((await redeem(device_code)).body, { error: 'authorization_pending' }, 'whoever heeds it is served')
  })

  t.test('400 access_denied on every poll until the record goes', async (t) => {
    const { clock, authorize, approve, redeem } = await startOAuthApp(t)
    const { device_code, user_code } = await authorize()
    await approve(user_code, 'ann', 'deny')
    for (const step of [0, 0, 900_000, 299_999]) {
      clock.advance(step)
      oauthRefused(t, await redeem(device_code), 400, 'access_denied')
    }
    clock.advance(1)
    oauthRefused(t, await redeem(device_code), 400, 'invalid_grant')
  })

  t.test('400 expired_token for five minutes, then nobody knows it', async (t) => {
    const { clock, authorize, redeem } = await startOAuthApp(t)
    const { device_code } = await authorize()
    clock.advance(900_000)
    oauthRefused(t, await redeem(device_code), 400, 'expired_token')
    clock.advance(300_000)
    oauthRefused(t, await redeem(device_code), 400, 'invalid_grant')
  })

  t.test('400 invalid_grant for a code nobody was given, and for one that is spent', async (t) => {
    const { clock, tokens, redeem } = await startOAuthApp(t)
    for (const code of ['x', 'A'.repeat(43), 'A'.repeat(128), '*', 'ü', ' ']) {
      oauthRefused(t, await redeem(code), 400, 'invalid_grant')
    }
    const { device_code } = await tokens()
    clock.advance(30_001)
    oauthRefused(t, await redeem(device_code), 400, 'invalid_grant')
  })

  t.test('400 invalid_grant to another client, and nothing is burned', async (t) => {
    const { clock, authorize, approve, redeem } = await startOAuthApp(t)
    const { device_code, user_code } = await authorize(BOX, 'openid')
    const strangers = [CLI, TV]
    const asked = async () => {
      for (const client of strangers) oauthRefused(t, await redeem(device_code, client), 400, 'invalid_grant')
    }
    await asked()
    t.strictSame((await redeem(device_code, BOX)).body, { error: 'authorization_pending' }, 'the first poll is free')
    clock.advance(2_000)
    await asked()
    clock.advance(3_000)
    t.strictSame((await redeem(device_code, BOX)).body, { error: 'authorization_pending' }, 'the pace is its own')
    await approve(user_code)
    await asked()
    t.equal((await redeem(device_code, BOX)).status, 200)
    await asked()
    t.equal((await redeem(device_code, BOX)).status, 200)
  })

  t.test('401 invalid_client is no poll', async (t) => {
    const { authorize, post, redeem } = await startOAuthApp(t)
    const { device_code } = await authorize(BOX, 'openid')
    const form = { grant_type: DEVICE_CODE, device_code }
    const wrong = { ...BOX, client_secret: 'wrong' }
    oauthRefused(t, await post(TOKEN, { ...form, ...wrong }), 401, 'invalid_client')
    oauthRefused(t, await post(TOKEN, form, basicAuth(wrong)), 401, 'invalid_client', 'Basic realm="grantd"')
    oauthRefused(t, await post(TOKEN, { ...form, client_id: 'nobody' }), 401, 'invalid_client')
    oauthRefused(t, await post(TOKEN, form), 400, 'invalid_request')
    t.strictSame((await redeem(device_code, BOX)).body, { error: 'authorization_pending' })
  })

  t.test('400 for a grant type that is not there, or not for this client', async (t) => {
    const { post } = await startOAuthApp(t)
    const code = 'A'.repeat(43)
    for (const grant_type of ['password', 'implicit', 'client_credentials', 'device_code', 'REFRESH_TOKEN']) {
      oauthRefused(t, await post(TOKEN, { ...CLI, grant_type, device_code: code }), 400, 'unsupported_grant_type')
    }
    for (const grant_type of [DEVICE_CODE, 'refresh_token', 'authorization_code']) {
      oauthRefused(
        t,
        await post(TOKEN, { ...API, grant_type, code, device_code: code, refresh_token: 'x' }),
        400,
        'unauthorized_client'
      )
      oauthRefused(t, await post(TOKEN, { ...CLI, grant_type }), 400, 'invalid_request')
    }
    oauthRefused(t, await post(TOKEN, { ...CLI, device_code: code }), 400, 'invalid_request')
  })
})

t.test('tokens', async (t) => {
  const ISSUER = 'https://grants.example'

  t.test('200 with what the scope asks for, and what is not asked for is left out', async (t) => {
    const { clock, post, authorize, approve } = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
    const rows: [scope: string, members: string[]][] = [
      ['', []],
      ['openid', ['id_token', 'scope']],
      ['offline_access', ['refresh_token', 'scope']],
      ['reports.read', ['scope']],
      ['reports.write openid offline_access reports.read', ['id_token', 'refresh_token', 'scope']]
    ]
    for (const [scope, members] of rows) {
      const { device_code, user_code } = await authorize(BOX, scope)
      await approve(user_code)
      const answer = await post(TOKEN, { grant_type: DEVICE_CODE, device_code, scope: 'admin' }, basicAuth(BOX))
      t.equal(answer.status, 200, scope)
      oauthHeaders(t, answer)
      t.equal(answer.headers.pragma, 'no-cache')
      t.strictSame(Object.keys(answer.body).sort(), ['access_token', 'expires_in', 'token_type', ...members].sort())
      t.equal(answer.body.token_type, 'Bearer')
      const { exp = 0 } = decodeJwt(answer.body.access_token)
      const leftMs = exp * 1000 - clock()
      t.equal(answer.body.expires_in, Math.floor(leftMs / 1000), 'what is left of the whole second it was issued in')
      t.equal(answer.body.scope, scope === '' ? undefined : scope, 'what was approved, whatever is asked for now')
    }
  })

  t.test('200 the access token is an at+jwt of RFC 9068, which the published keys verify', async (t) => {
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      const { clock, call, tokens } = await startOAuthApp(t, { PUBLIC_URL: ISSUER, SIGNING_ALG: alg })
      const { access_token } = await tokens(BOX, 'openid reports.read')
      const keys = (await call('GET', '/.well-known/jwks.json')).body
      const options = { issuer: ISSUER, audience: ISSUER, typ: 'at+jwt', algorithms: [alg] }
      const { payload, protectedHeader } = await jwtVerify(access_token, createLocalJWKSet(keys), {
        ...options,
        currentDate: new Date(clock())
      })
      t.strictSame(protectedHeader, { alg, typ: 'at+jwt', kid: keys.keys[0].kid })
      const now = Math.floor(clock() / 1000)
      const { jti, cid } = payload
      for (const id of [jti, cid]) t.match(id, UUID)
      t.not(jti, cid, 'the token has a name of its own')
      t.strictSame(payload, {
        ...{ iss: ISSUER, sub: 'ann', aud: ISSUER, iat: now, exp: now + 300, jti, cid },
        ...{ client_id: 'box', client_type: 'other', scope: 'openid reports.read' }
      })
    }
  })

  t.test('200 one authorization however many ask at once, and the user sees it under the client’s name', async (t) => {
    const { call, session, authorize, approve, redeem } = await startOAuthApp(t)
    const { device_code, user_code } = await authorize(BOX, 'offline_access')
    await approve(user_code)
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(device_code, BOX)))
    t.equal(new Set(answers.map(({ body }) => decodeJwt(body.access_token).cid)).size, 1)
    t.equal(new Set(answers.map(({ body }) => decodeJwt(body.access_token).jti)).size, 50, 'a jti each')
    const { data } = (await call('GET', '/auth/clients', { token: await session('ann') })).body
    t.equal(data.length, 1)
    t.match(data[0], { client_type: 'other', client_name: 'Box 2000', client_version: null, label: null })
  })

  t.test('200 life and type are those of the client', async (t) => {
    const file = clientsFile(t, [
      { client_id: 'short', client_type: 'mcp', access_token_ttl_seconds: 60, authorization_ttl_seconds: 90 }
    ])
    const { tokens, call, session } = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: file })
    const { access_token, expires_in } = await tokens({ client_id: 'short' }, '')
    const { iat = 0, exp = 0, client_type } = decodeJwt(access_token)
    t.strictSame([exp - iat, client_type], [60, 'mcp'])
    t.ok(expires_in === 59 || expires_in === 60)
    const [row] = (await call('GET', '/auth/clients', { token: await session('ann') })).body.data
    t.equal(Date.parse(row.expires_at) / 1000, iat + 90)
  })

  t.test('400 unauthorized_client to refresh for a client that may only redeem device codes', async (t) => {
    const file = clientsFile(t, [{ client_id: 'once', scope: 'openid', grant_types: [DEVICE_CODE] }])
    const { tokens, post } = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: file })
    const once = { client_id: 'once' }
    t.notOk('refresh_token' in (await tokens(once, 'openid')))
    const answer = await post(TOKEN, { ...once, grant_type: 'refresh_token', refresh_token: 'x' })
    oauthRefused(t, answer, 400, 'unauthorized_client')
  })

  t.test('200 JSON in, JSON out', async (t) => {
    const { call, approve } = await startOAuthApp(t)
    const { body: grant } = await call('POST', START, { body: { ...BOX, scope: 'openid offline_access' } })
    await approve(grant.user_code)
    const body = { ...BOX, grant_type: DEVICE_CODE, device_code: grant.device_code }
    const answer = await call('POST', TOKEN, { body })
    t.equal(answer.status, 200)
    oauthHeaders(t, answer)
    const { refresh_token } = answer.body
    t.equal((await call('POST', TOKEN, { body: { ...BOX, grant_type: 'refresh_token', refresh_token } })).status, 200)
  })
})

t.test('the two surfaces', async (t) => {
  const { call, start, poll, authorize, approve, redeem, tokens } = await startOAuthApp(t)

  t.test('200 a built-in client may start on one and collect on the other', async (t) => {
    const device = await authorize(CLI, 'openid')
    await approve(device.user_code)
    const { body } = await poll(device.device_code)
    t.strictSame(Object.keys(body), ['status', 'jwt', 'token_type'])
    t.equal(decodeJwt(body.jwt).scope, 'openid', 'with what was approved')
    t.equal(decodeJwt((await redeem(device.device_code)).body.access_token).cid, decodeJwt(body.jwt).cid)

    const grant = await start({ name: 'acme' })
    await approve(grant.user_code)
    t.equal((await redeem(grant.grant_code, { client_id: 'mcp' })).status, 400, 'under its own name alone')
    const answer = await redeem(grant.grant_code)
    t.equal(answer.status, 200)
    t.strictSame(Object.keys(answer.body), ['access_token', 'token_type', 'expires_in'])
    t.equal(decodeJwt((await poll(grant.grant_code)).body.jwt).cid, decodeJwt(answer.body.access_token).cid)
  })

  t.test('200 a configured client’s grants are unknown to who proves nothing', async (t) => {
    for (const client of [BOX, TV]) {
      const { device_code, user_code } = await authorize(client, 'openid')
      t.strictSame((await poll(device_code)).body, { status: 'expired_token' })
      await approve(user_code)
      t.strictSame((await poll(device_code)).body, { status: 'expired_token' })
      t.equal((await redeem(device_code, client)).status, 200)
    }
  })

  t.test('403 an access token is no session: it neither sees nor decides a grant', async (t) => {
    const { access_token: token } = await tokens(BOX, 'openid')
    const { user_code } = await authorize()
    const body = { user_code, action: 'approve' }
    refused(t, await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token }), 403, 'Access Forbidden')
    refused(t, await call('POST', '/auth/grant/approve', { token, body }), 403, 'Access Forbidden')
  })
})

t.test('Prefer: wait', async (t) => {
  const held = async (...[service, device_code, wait]: [Awaited<ReturnType<typeof startOAuthApp>>, string, string]) =>
    service.post(TOKEN, { ...CLI, grant_type: DEVICE_CODE, device_code }, { prefer: wait })

  t.test('200 the tokens come with the decision, and it is told that the wait was applied', async (t) => {
    const service = await startOAuthApp(t)
    for (const [wait, applied] of [
      ['wait=20', 'wait=20'],
      ['respond-async, wait="30"', 'wait=30'],
      ['wait=31', 'wait=30'],
      ['wait=999999999', 'wait=30']
    ] as const) {
      const { device_code, user_code } = await service.authorize()
      const waiting = held(service, device_code, wait)
      while (service.app.core.heldPolls.count() === 0) await new Promise((resolve) => setImmediate(resolve))
      await service.approve(user_code)
      const answer = await waiting
      t.equal(answer.status, 200, wait)
      t.equal(answer.headers['preference-applied'], applied)
      oauthHeaders(t, answer)
    }
    t.equal(service.app.core.heldPolls.count(), 0)
  })

  t.test('400 access_denied comes with the decision as well', async (t) => {
    const service = await startOAuthApp(t)
    const { device_code, user_code } = await service.authorize()
    const waiting = held(service, device_code, 'wait=30')
    while (service.app.core.heldPolls.count() === 0) await new Promise((resolve) => setImmediate(resolve))
    await service.approve(user_code, 'ann', 'deny')
    const answer = await waiting
    oauthRefused(t, answer, 400, 'access_denied')
    t.equal(answer.headers['preference-applied'], 'wait=30')
  })

  t.test('400 authorization_pending when the time is up, and it was one poll', async (t) => {
    const service = await startOAuthApp(t)
    const { device_code } = await service.authorize()
    const startedAt = performance.now()
    const answer = await held(service, device_code, 'wait=1')
    t.ok(performance.now() - startedAt >= 950)
    oauthRefused(t, answer, 400, 'authorization_pending')
    t.equal(answer.headers['preference-applied'], 'wait=1')
    service.clock.advance(5_000)
    t.strictSame((await service.redeem(device_code)).body, { error: 'authorization_pending' }, 'the pace is the same')
  })

  t.test('400 slow_down at once, which is no wait', async (t) => {
    const service = await startOAuthApp(t)
    const { device_code } = await service.authorize()
    for (let i = 0; i < 2; i++) await service.redeem(device_code)
    const answer = await held(service, device_code, 'wait=30')
    t.strictSame([answer.status, answer.body], [400, { error: 'slow_down', interval: 10 }])
    t.notOk('preference-applied' in answer.headers)
    t.equal(answer.headers['retry-after'], '10')
  })

  t.test('400 at once where nobody is held, or nothing is asked for that can be understood', async (t) => {
    const none = await startOAuthApp(t, { HELD_POLLS: '0' })
    const some = await startOAuthApp(t)
    for (const [service, wait] of [
      [none, 'wait=30'],
      [some, 'wait=0'],
      [some, 'wait=x'],
      [some, 'respond-async'],
      [some, '']
    ] as const) {
      const { device_code } = await service.authorize()
      const answer = await held(service, device_code, wait)
      oauthRefused(t, answer, 400, 'authorization_pending')
      t.notOk('preference-applied' in answer.headers, wait)
    }
  })

  t.test('of the polls of one grant the last one is held, and the one before is answered at once', async (t) => {
    const service = await startOAuthApp(t)
    const { device_code, user_code } = await service.authorize()
    const first = held(service, device_code, 'wait=30')
    while (service.app.core.heldPolls.count() === 0) await new Promise((resolve) => setImmediate(resolve))
    service.clock.advance(5_000)
    const second = held(service, device_code, 'wait=30')
    t.strictSame((await first).body, { error: 'authorization_pending' })
    t.equal(service.app.core.heldPolls.count(), 1)
    await service.approve(user_code)
    t.equal((await second).status, 200)
  })
})
