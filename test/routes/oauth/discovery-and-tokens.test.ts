/**
 * The documents that describe this surface, POST /oauth/revoke, POST /oauth/introspect, GET and POST /oauth/userinfo, GET /oauth/check, and
 * the limits of every operation.
 */
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { digestOf } from '../../../src/core/secrets/digest.js'
import { type Answer, startApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import {
  API,
  BOX,
  basicAuth,
  CLI,
  type Credentials,
  clientsFile,
  DEVICE_CODE,
  type OAuthApp,
  startOAuthApp,
  TV
} from '../../support/oauth-app.js'
import { freePort } from '../../support/ports.js'
import { sessionOf } from '../../support/tokens.js'
import { makeOneOfEach, startTokensApp } from '../../support/tokens-client.js'
import { oauthHeaders, oauthRefused, refused } from '../expectations.js'

const ISSUER = 'https://grants.example'
const OPENID = '/.well-known/openid-configuration'
const OAUTH = '/.well-known/oauth-authorization-server'
const JWKS = '/.well-known/jwks.json'
const FIVE_MINUTES = 'public, max-age=300'

const documentOf = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/oauth/authorize`,
  device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
  token_endpoint: `${issuer}/oauth/token`,
  revocation_endpoint: `${issuer}/oauth/revoke`,
  introspection_endpoint: `${issuer}/oauth/introspect`,
  userinfo_endpoint: `${issuer}/oauth/userinfo`,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
  response_types_supported: ['none'],
  grant_types_supported: [DEVICE_CODE, 'refresh_token'],
  token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
  revocation_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
  introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
  code_challenge_methods_supported: ['S256'],
  claims_supported: ['iss', 'sub', 'aud', 'iat', 'exp', 'auth_time', 'nonce', 'name', 'email', 'email_verified']
})

/** What it says besides where people sign in on pages of the service. */
const WITH_PAGES = {
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  grant_types_supported: ['authorization_code', DEVICE_CODE, 'refresh_token'],
  prompt_values_supported: ['none', 'login', 'consent'],
  ui_locales_supported: ['en', 'de', 'es', 'fr', 'ja', 'pt'],
  authorization_response_iss_parameter_supported: true,
  request_parameter_supported: false,
  request_uri_parameter_supported: false
}

function isDocument(t: Test, answer: Answer, issuer: string, title: string, more: object = {}): void {
  t.equal(answer.status, 200, title)
  t.strictSame(answer.body, { ...documentOf(issuer), ...more }, title)
  oauthHeaders(t, answer, title, FIVE_MINUTES)
}

t.test('200 an issuer without a path', async (t) => {
  const issuer = ISSUER
  const service = await startApp(t, { PUBLIC_URL: issuer, SIGNING_ALG: 'ES256' })
  const { app, call } = service

  t.test('200 both documents say the same, in absolute URLs', async (t) => {
    for (const url of [OPENID, OAUTH]) isDocument(t, await call('GET', url), issuer, url)
  })

  t.test('200 HEAD says how long it would be', async (t) => {
    for (const url of [OPENID, OAUTH, JWKS]) {
      const { statusCode, headers, body } = await app.inject({ method: 'HEAD', url })
      t.equal(statusCode, 200)
      t.equal(body, '')
      t.equal(headers['content-length'], (await app.inject({ url })).headers['content-length'])
      t.equal(headers['cache-control'], FIVE_MINUTES)
    }
  })

  t.test('200 whatever is asked for beside it', async (t) => {
    const headers = { authorization: 'Bearer x', accept: 'text/html', cookie: 'a=b', origin: 'https://a.example' }
    isDocument(t, await call('GET', `${OPENID}?x=1&x=2`, { headers }), issuer, 'a query and headers')
  })

  t.test('every address it names is one', async (t) => {
    const document = (await call('GET', OPENID)).body as Record<string, unknown>
    const urls = Object.entries(document).filter(([name]) => /_endpoint$|_uri$/.test(name))
    t.equal(urls.length, 7)
    for (const [name, url] of urls) {
      const { origin, pathname } = new URL(String(url))
      t.equal(origin, issuer)
      const isPosted = name.endsWith('_endpoint') && !/^(authorization|userinfo)_/.test(name)
      const { statusCode } = await app.inject({ method: isPosted ? 'POST' : 'GET', url: pathname })
      t.notOk([404, 405, 500].includes(statusCode), `${name}: ${statusCode}`)
    }
  })

  t.test('400 the authorization endpoint, which has to be named, says where to go instead', async (t) => {
    const answer = await call('GET', '/oauth/authorize?response_type=code&client_id=cli&redirect_uri=https://a.example')
    oauthRefused(t, answer, 400, 'unsupported_response_type')
    t.match(answer.body.error_description, /device authorization endpoint/)
  })

  t.test('404 other names, in the words of the service', async (t) => {
    for (const url of [`${OPENID}/`, `${OPENID}/x`, `${OAUTH}/x`, '/.well-known/oauth', '/.well-known/', '/oauth']) {
      const { status, body } = await call('GET', url)
      t.strictSame([status, body], [404, { error: 'Not Found' }], url)
    }
  })

  t.test('405 with what is allowed', async (t) => {
    for (const url of [OPENID, OAUTH, JWKS]) {
      const answer = await call('POST', url)
      oauthRefused(t, answer, 405, 'invalid_request')
      t.equal(answer.headers.allow, 'GET, HEAD')
    }
  })
})

t.test('200 an issuer that nobody has named is localhost', async (t) => {
  const { call } = await startApp(t, { PORT: '4000', SIGNING_ALG: 'ES256' })
  isDocument(t, await call('GET', OPENID), 'http://localhost:4000', OPENID, WITH_PAGES)
})

t.test('200 an issuer with a path', async (t) => {
  const issuer = `${ISSUER}/a/base`
  const variables = { PUBLIC_URL: `${issuer}/`, SIGNING_ALG: 'ES256', OAUTH_CLIENTS_FILE: clientsFile(t, []) }
  const service = await startOAuthApp(t, variables)
  const { app, call, post, session } = service

  t.test('200 the document is where OpenID Connect and where RFC 8414 look for it', async (t) => {
    for (const url of [`/a/base${OPENID}`, `/a/base${OAUTH}`, `${OAUTH}/a/base`, `${OPENID}/a/base`]) {
      isDocument(t, await call('GET', url), issuer, url)
    }
  })

  t.test('405 there as well, with the methods it has', async (t) => {
    for (const url of [`/a/base${OPENID}`, `${OAUTH}/a/base`, `${OPENID}/a/base`]) {
      const answer = await call('POST', url)
      t.equal(answer.status, 405, url)
      t.equal(answer.headers.allow, 'GET, HEAD', url)
    }
  })

  t.test('200 and where a proxy leads that takes the path away', async (t) => {
    for (const url of [OPENID, OAUTH]) isDocument(t, await call('GET', url), issuer, url)
  })

  t.test('404 where another issuer’s would be', async (t) => {
    for (const url of [
      ...[`${OAUTH}/a`, `${OAUTH}/base`, `${OAUTH}/a/base/x`, `/a${OAUTH}`, `/base${OAUTH}`, `${OAUTH}/A/base`],
      ...[`/a/base${OAUTH}/a/base`, `/a/base${OPENID}/a/base`]
    ]) {
      t.equal((await call('GET', url)).status, 404, url)
    }
  })

  for (const [about, base] of [
    ['with the path', '/a/base'],
    ['without it', '']
  ]) {
    t.test(`200 every operation is there ${about}`, async (t) => {
      const form = { client_id: 'cli', scope: 'openid offline_access' }
      const { body: grant } = await post(`${base}/oauth/device_authorization`, form)
      t.match(grant, { device_code: /^[\w-]{43}$/, verification_uri: `${issuer}/device` })
      const token = await session('ann')
      const body = { user_code: grant.user_code, action: 'approve' }
      t.equal((await call('POST', `${base}/api/v0/auth/grant/approve`, { token, body })).status, 200)
      const asked = { client_id: 'cli', grant_type: DEVICE_CODE, device_code: grant.device_code }
      const { body: tokens } = await post(`${base}/oauth/token`, asked)
      t.equal((await call('GET', `${base}/oauth/userinfo`, { token: tokens.access_token })).status, 200)
      t.equal((await call('POST', `${base}/oauth/userinfo`, { token: tokens.access_token })).status, 200)
      t.equal((await call('GET', `${base}${JWKS}`)).body.keys.length, 1)
      const introspection = await post(`${base}/oauth/introspect`, { ...form, token: 'x' })
      oauthRefused(t, introspection, 401, 'invalid_client', `${BASIC}, ${BEARER}`)
      t.equal((await post(`${base}/oauth/revoke`, { client_id: 'cli', token: tokens.refresh_token })).status, 200)
      t.equal((await call('GET', `${base}/oauth/userinfo`, { token: tokens.access_token })).status, 401)
    })
  }

  t.test('every address it names is one, with the path as it stands', async (t) => {
    const document = (await call('GET', OPENID)).body as Record<string, unknown>
    const urls = Object.entries(document).filter(([name]) => /_endpoint$|_uri$/.test(name))
    t.equal(urls.length, 7)
    for (const [name, url] of urls) {
      const isPosted = name.endsWith('_endpoint') && !/^(authorization|userinfo)_/.test(name)
      const { statusCode } = await app.inject({
        method: isPosted ? 'POST' : 'GET',
        url: new URL(String(url)).pathname
      })
      t.notOk([404, 405, 500].includes(statusCode), `${name}: ${statusCode}`)
    }
  })

  t.test('404 of the dashboard stays the dashboard’s, under the path as well', async (t) => {
    refused(t, await call('GET', '/a/base/api/v0/auth/clients'), 401, 'No jwt provided!')
    t.strictSame((await call('GET', '/a/base/unknown')).body, { error: 'Not Found' })
  })
})

t.test('200 what is supported follows the configuration', async (t) => {
  t.test('200 the scopes that every client may ask for, whatever the operator’s have besides', async (t) => {
    const file = clientsFile(t, [
      { client_id: 'a', scope: 'reports.read openid' },
      { client_id: 'b', scope: 'https://api.example/x reports.read' }
    ])
    const { call } = await startApp(t, { OAUTH_CLIENTS_FILE: file, SIGNING_ALG: 'EdDSA' })
    const scopes = ['openid', 'profile', 'email', 'offline_access']
    t.strictSame((await call('GET', OPENID)).body.scopes_supported, scopes)
  })

  t.test('200 the algorithms of the published keys', async (t) => {
    const algorithms = 'id_token_signing_alg_values_supported'
    for (const alg of ['RS256', 'ES256', 'EdDSA']) {
      const { app, call } = await startApp(t, { SIGNING_ALG: alg })
      t.strictSame((await call('GET', OPENID)).body[algorithms], [alg])
      await app.core.signingKeys.rotate('published-ahead', BY)
      t.strictSame((await call('GET', OAUTH)).body[algorithms], [alg], 'each once')
    }
  })
})

t.test('503 until there is a key, and nobody keeps that', async (t) => {
  const port = await freePort()
  const { call, post } = await startOAuthApp(t, { REDIS_URL: `redis://127.0.0.1:${port}` })
  for (const url of [OPENID, OAUTH, JWKS]) {
    const answer = await call('GET', url)
    oauthRefused(t, answer, 503, 'temporarily_unavailable')
    t.ok(Number(answer.headers['retry-after']) >= 1, url)
  }
  const polled = await post('/oauth/token', { grant_type: DEVICE_CODE, device_code: 'A'.repeat(43) }, basicAuth(BOX))
  oauthRefused(t, polled, 503, 'temporarily_unavailable')
  t.ok(Number(polled.headers['retry-after']) >= 1)
})

const TOKEN = '/oauth/token'
const REVOKE = '/oauth/revoke'
const INTROSPECT = '/oauth/introspect'
const USERINFO = '/oauth/userinfo'
const BASIC = 'Basic realm="grantd"'
const BEARER = 'Bearer realm="grantd"'

/** RFC 7009 §2.2: a revocation is answered with 200, and clients that read JSON in every answer find some. */
function revoked(t: Test, answer: Answer, title: string): void {
  t.strictSame([answer.status, answer.body], [200, {}], title)
  oauthHeaders(t, answer, title)
}

/** Texts that are not valid tokens of this client: those of others, made-up ones, and no tokens at all. */
const noTokens = async ({ tokens, session }: OAuthApp) => ({
  'a session of the dashboard': await session('ann'),
  'an ID token': (await tokens(BOX, 'openid')).id_token,
  'a made-up refresh token': `grt_00000000-0000-4000-8000-000000000000.${'A'.repeat(43)}.${'A'.repeat(24)}`,
  'the beginning of one': 'grt_',
  'no JWT': 'x.y.z',
  'any text': 'ü " \\ \u0000',
  'a text that could be long': 'x'.repeat(8_192)
})

t.test('revoke', async (t) => {
  const service = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
  const { post, call, tokens, userinfo, revoke, session } = service
  const alive = async (token: string) => (await userinfo(token)).status === 200

  t.test('200 and nothing else, for either kind of token, however the client proves who it is', async (t) => {
    const ways: Record<string, (token: string) => Promise<Answer>> = {
      'a secret in the body': (token) => post(REVOKE, { ...BOX, token }),
      'a secret in the header': (token) => post(REVOKE, { token }, basicAuth(BOX)),
      JSON: (token) => call('POST', REVOKE, { body: { ...BOX, token } }),
      'the right hint': (token) => post(REVOKE, { ...BOX, token, token_type_hint: 'access_token' }),
      'another hint': (token) => post(REVOKE, { ...BOX, token, token_type_hint: 'refresh_token' }),
      'a hint nobody knows': (token) => post(REVOKE, { ...BOX, token, token_type_hint: 'x' })
    }
    for (const [way, ask] of Object.entries(ways)) {
      for (const kind of ['access_token', 'refresh_token'] as const) {
        const held = await tokens(BOX, 'openid offline_access')
        t.ok(await alive(held.access_token))
        revoked(t, await ask(held[kind]), `${way}: ${kind}`)
        t.notOk(await alive(held.access_token))
      }
    }
  })

  t.test('200 by a public client that names itself', async (t) => {
    for (const client of [CLI, TV]) {
      const { access_token } = await tokens(client)
      revoked(t, await revoke(access_token, client), client.client_id)
      t.notOk(await alive(access_token))
    }
  })

  t.test('200 a second time, and for whatever is no token of this client’s', async (t) => {
    const { access_token, refresh_token } = await tokens(BOX, 'openid offline_access')
    const { access_token: another } = await tokens(TV)
    for (const [name, token] of Object.entries({
      ...(await noTokens(service)),
      'a token of another client': another
    })) {
      revoked(t, await revoke(token, BOX), name)
    }
    t.ok(await alive(access_token))
    t.ok(await alive(another))
    for (const _ of [1, 2]) revoked(t, await revoke(refresh_token, BOX), 'again')
    revoked(t, await revoke(access_token, BOX), 'the other one of the pair')
  })

  t.test('200 a client JWT of the dashboard is a token of the built-in client', async (t) => {
    const jwt = await service.collect('ann')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200)
    revoked(t, await revoke(jwt, { client_id: 'mcp' }), 'by another one')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 200)
    revoked(t, await revoke(jwt), 'by its own')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
    const { data } = (await call('GET', '/auth/clients', { token: await session('ann') })).body
    t.type(data.find(({ id }: { id: string }) => id === decodeJwt(jwt).cid).revoked_at, 'string')
  })

  t.test('200 a device code ends its grant, whatever the hint', async (t) => {
    const { authorize, approve, redeem } = service
    for (const hint of [undefined, 'device_code', 'access_token', 'x']) {
      const { device_code, user_code } = await authorize(BOX, 'openid')
      revoked(t, await post(REVOKE, { ...BOX, token: device_code, token_type_hint: hint }), `${hint}`)
      oauthRefused(t, await redeem(device_code, BOX), 400, 'expired_token')
      t.equal((await approve(user_code)).status, 404)
      revoked(t, await revoke(device_code, BOX), 'again')
    }
  })

  t.test('200 a device code that was redeemed revokes the tokens it brought, all of them', async (t) => {
    const { device_code, access_token, refresh_token } = await tokens(BOX, 'openid offline_access')
    t.ok(await alive(access_token))
    revoked(t, await revoke(device_code, BOX), 'redeemed')
    t.notOk(await alive(access_token))
    oauthRefused(t, await service.refresh(refresh_token, BOX), 400, 'invalid_grant')
  })

  t.test('200 a device code of another client is not burned', async (t) => {
    const { authorize, redeem, approve } = service
    const { device_code, user_code } = await authorize(BOX, 'openid')
    for (const other of [CLI, TV, API]) revoked(t, await revoke(device_code, other), other.client_id)
    oauthRefused(t, await post(REVOKE, { ...BOX, client_secret: 'wrong', token: device_code }), 401, 'invalid_client')
    await approve(user_code)
    for (const other of [CLI, TV, API]) revoked(t, await revoke(device_code, other), `${other.client_id}, approved`)
    t.ok(await alive((await redeem(device_code, BOX)).body.access_token))
  })

  t.test('200 without a client, by whoever has a token or a device code of a public one', async (t) => {
    const { authorize, approve, redeem } = service
    const ways: Record<string, (token: string) => Promise<Answer>> = {
      'a form': (token) => post(REVOKE, { token }),
      JSON: (token) => call('POST', REVOKE, { body: { token } }),
      'an empty client': (token) => post(REVOKE, { token, client_id: '', client_secret: '' })
    }
    for (const [way, ask] of Object.entries(ways)) {
      for (const client of [CLI, TV]) {
        for (const kind of ['access_token', 'refresh_token', 'device_code'] as const) {
          const held = await tokens(client)
          revoked(t, await ask(held[kind]), `${way}: ${kind} of ${client.client_id}`)
          t.notOk(await alive(held.access_token))
          oauthRefused(t, await service.refresh(held.refresh_token, client), 400, 'invalid_grant')
        }
        const { device_code, user_code } = await authorize(client, 'openid')
        for (const time of ['once', 'again']) revoked(t, await ask(device_code), `${way}: a grant that waits, ${time}`)
        t.equal((await approve(user_code)).status, 404)
        oauthRefused(t, await redeem(device_code, client), 400, 'expired_token')
      }
    }
    const jwt = await service.collect('ann')
    revoked(t, await post(REVOKE, { token: jwt }), 'a client JWT of the dashboard')
    t.equal((await call('GET', '/auth/clients', { token: jwt })).status, 401)
    for (const [name, token] of Object.entries(await noTokens(service))) revoked(t, await post(REVOKE, { token }), name)
    revoked(t, await post(REVOKE, { token: 'A'.repeat(43) }), 'a device code of nobody')
  })

  t.test('401 without a client, for what is a confidential one’s, and it stays good', async (t) => {
    const { authorize, approve, redeem } = service
    const held = await tokens(BOX, 'openid offline_access')
    for (const token of [held.access_token, held.refresh_token, held.device_code]) {
      oauthRefused(t, await post(REVOKE, { token }), 401, 'invalid_client')
    }
    t.ok(await alive(held.access_token))
    const { device_code, user_code } = await authorize(BOX, 'openid')
    oauthRefused(t, await post(REVOKE, { token: device_code }), 401, 'invalid_client')
    await approve(user_code)
    oauthRefused(t, await post(REVOKE, { token: device_code }), 401, 'invalid_client')
    t.equal((await redeem(device_code, BOX)).status, 200)
  })

  t.test('4xx', async (t) => {
    const { access_token: token } = await tokens(BOX, 'openid')
    const wrong = { ...BOX, client_secret: 'wrong' }
    oauthRefused(t, await post(REVOKE, { ...wrong, token }), 401, 'invalid_client')
    oauthRefused(t, await post(REVOKE, { token }, basicAuth(wrong)), 401, 'invalid_client', BASIC)
    oauthRefused(t, await post(REVOKE, { client_id: 'box', token }), 401, 'invalid_client')
    oauthRefused(t, await post(REVOKE, { client_id: 'nobody', token }), 401, 'invalid_client')
    oauthRefused(t, await post(REVOKE, { token }), 401, 'invalid_client')
    oauthRefused(t, await post(REVOKE, { token, client_secret: 'x' }), 400, 'invalid_request')
    oauthRefused(t, await post(REVOKE, BOX), 400, 'invalid_request')
    oauthRefused(t, await post(REVOKE, { ...BOX, token: '' }), 400, 'invalid_request')
    t.ok(await alive(token), 'nothing of that revoked it')
  })
})

t.test('introspect', async (t) => {
  const service = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
  const { clock, post, call, tokens, introspect } = service

  t.test('200 an access token, with all that is in it', async (t) => {
    const { access_token } = await tokens(BOX, 'openid reports.read')
    const { iat, exp, jti } = decodeJwt(access_token)
    const answer = await introspect(access_token)
    t.equal(answer.status, 200)
    oauthHeaders(t, answer)
    t.strictSame(answer.body, {
      ...{ active: true, scope: 'openid reports.read', client_id: 'box', token_type: 'Bearer' },
      ...{ exp, iat, sub: 'ann', aud: ISSUER, iss: ISSUER, jti }
    })
  })

  t.test('200 a refresh token, to its own client', async (t) => {
    const { refresh_token, access_token } = await tokens(BOX, 'offline_access reports.read')
    const { iat = 0, cid: jti } = decodeJwt(access_token)
    const answer = await introspect(refresh_token, BOX)
    t.equal(answer.status, 200)
    oauthHeaders(t, answer)
    t.strictSame(answer.body, {
      ...{ active: true, scope: 'offline_access reports.read', client_id: 'box' },
      ...{ exp: iat + 30 * 86_400, iat, sub: 'ann', iss: ISSUER, jti }
    })
  })

  t.test('200 access tokens of every client, and without a scope none is told', async (t) => {
    for (const client of [CLI, TV, BOX]) {
      const { access_token } = await tokens(client, '')
      const { body } = await introspect(access_token)
      t.match(body, { active: true, client_id: client.client_id })
      t.notOk('scope' in body)
    }
    const jwt = await service.collect('ann')
    t.match((await introspect(jwt)).body, { active: true, client_id: 'cli', jti: decodeJwt(jwt).jti })
  })

  t.test('200 however the client proves who it is', async (t) => {
    const { access_token: token } = await tokens()
    const answers = {
      'a secret in the header': await post(INTROSPECT, { token }, basicAuth(API)),
      JSON: await call('POST', INTROSPECT, { body: { ...API, token } }),
      'another hint': await post(INTROSPECT, { ...API, token, token_type_hint: 'refresh_token' })
    }
    for (const [way, { status, body }] of Object.entries(answers)) t.strictSame([status, body.active], [200, true], way)
  })

  t.test('200 of what is not valid nothing is said but that', async (t) => {
    const { access_token, refresh_token } = await tokens(TV)
    const { refresh_token: rotated } = await tokens(BOX, 'offline_access')
    await service.refresh(rotated, BOX)
    const { access_token: expired } = await tokens(BOX, 'openid')
    clock.advance(300_000)
    await service.revoke(access_token, TV)
    const rest = { expired, rotated, 'revoked with it': refresh_token, revoked: access_token }
    for (const [name, token] of Object.entries({ ...(await noTokens(service)), ...rest })) {
      for (const client of [API, BOX]) {
        const answer = await introspect(token, client)
        t.strictSame([answer.status, answer.body], [200, { active: false }], `${name}, asked by ${client.client_id}`)
        oauthHeaders(t, answer)
      }
    }
  })

  t.test('4xx', async (t) => {
    const { access_token: token } = await tokens()
    const wrong = { ...API, client_secret: 'wrong' }
    for (const client of [CLI, TV, wrong, { client_id: 'api' }, { client_id: 'nobody' }] as Credentials[]) {
      t.comment(client.client_id)
      oauthRefused(t, await introspect(token, client), 401, 'invalid_client', `${BASIC}, ${BEARER}`)
    }
    oauthRefused(t, await post(INTROSPECT, { token }, basicAuth(wrong)), 401, 'invalid_client', BASIC)
    const asToken = await post(INTROSPECT, { token }, { authorization: `Bearer ${token}` })
    oauthRefused(t, asToken, 401, 'invalid_token', `${BEARER}, error="invalid_token"`)
    oauthRefused(t, await post(INTROSPECT, { token }), 401, 'invalid_client', `${BASIC}, ${BEARER}`)
    oauthRefused(t, await post(INTROSPECT, API), 400, 'invalid_request')
  })
})

t.test('userinfo', async (t) => {
  const service = await startOAuthApp(t, { PUBLIC_URL: ISSUER })
  const { app, clock, call, post, tokens, session } = service
  const METHODS = ['GET', 'POST'] as const

  t.test('200 says who the user is, by GET and by POST', async (t) => {
    const { access_token: token } = await tokens(BOX, 'openid', 'zoë')
    for (const method of METHODS) {
      const answer = await call(method, USERINFO, { token })
      t.equal(answer.status, 200, method)
      t.strictSame(answer.body, { sub: 'zoë' })
      oauthHeaders(t, answer)
    }
    const headers = { authorization: `bEARER  ${token}` }
    t.equal((await call('GET', USERINFO, { headers })).status, 200, 'the scheme in any case')
    t.equal((await post(USERINFO, { anything: 'else' }, { authorization: `Bearer ${token}` })).status, 200, 'a form')
  })

  t.test('200 and the list of its user shows that it was used', async (t) => {
    const { access_token: token } = await tokens(BOX, 'openid', 'bob')
    clock.advance(90_000)
    await call('GET', USERINFO, { token })
    const [row] = (await call('GET', '/auth/clients', { token: await session('bob') })).body.data
    t.equal(row.last_used_at, new Date(clock()).toISOString())
  })

  t.test('401 without a token nothing is said of an error', async (t) => {
    const { access_token } = await tokens(BOX, 'openid')
    for (const method of METHODS) {
      for (const headers of [{}, { authorization: '' }, { authorization: 'Bearer' }, basicAuth(BOX)]) {
        const answer = await call(method, USERINFO, { headers: headers as Record<string, string> })
        t.strictSame([answer.status, answer.body, answer.headers['www-authenticate']], [401, {}, BEARER], method)
        oauthHeaders(t, answer)
      }
    }
    t.strictSame((await post(USERINFO, { access_token })).status, 401, 'nor is it looked for in the body')
    t.strictSame((await call('GET', `${USERINFO}?access_token=${access_token}`)).status, 401, 'nor in the URL')
  })

  t.test('401 invalid_token for whatever is no access token, or none any more', async (t) => {
    const { access_token: expired } = await tokens(BOX, 'openid')
    clock.advance(300_000)
    const { access_token: revoked, refresh_token } = await tokens(TV)
    await service.revoke(revoked, TV)
    const rest = { expired, revoked, 'a refresh token': refresh_token, 'a session': await sessionOf('ann') }
    const challenge = `${BEARER}, error="invalid_token"`
    for (const [name, token] of Object.entries({ ...(await noTokens(service)), ...rest })) {
      if (/[^ -~]|\s/.test(token)) continue
      for (const method of METHODS) {
        t.comment(`${method} with ${name}`)
        oauthRefused(t, await call(method, USERINFO, { token }), 401, 'invalid_token', challenge)
      }
    }
  })

  t.test('403 insufficient_scope without openid', async (t) => {
    const challenge = `${BEARER}, error="insufficient_scope", scope="openid"`
    for (const token of [(await tokens(BOX, 'reports.read')).access_token, await service.collect('ann')]) {
      for (const method of METHODS) {
        oauthRefused(t, await call(method, USERINFO, { token }), 403, 'insufficient_scope', challenge)
      }
    }
  })

  t.test('405 with what is allowed', async (t) => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      const { statusCode, headers } = await app.inject({ method, url: USERINFO })
      t.strictSame([statusCode, headers.allow], [405, 'GET, POST, HEAD'], method)
    }
  })
})

const CHECK = '/oauth/check'
const [FILMS, BOOKS] = ['https://films.example/', 'https://books.example/v1']

t.test('check', async (t) => {
  const scope = 'openid offline_access reports.read'
  const clients = [
    { client_id: 'box', client_secret_digests: [digestOf(BOX.client_secret ?? '')], scope, resources: [FILMS, BOOKS] }
  ]
  const resources = [
    { identifier: FILMS, name: 'Films', scope: 'films.read films.write' },
    { identifier: BOOKS, name: 'Books', scope: 'books.read' }
  ]
  const service = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: clientsFile(t, clients, resources) })
  const { app, call, post, approve, redeem, tokens, clock, session } = service

  async function tokenFor(resource: string, scope: string, user = 'ann'): Promise<string> {
    const asked = await post('/oauth/device_authorization', { ...BOX, resource, scope })
    await approve(asked.body.user_code, user)
    return (await redeem(asked.body.device_code, BOX)).body.access_token
  }
  const check = (token: string | undefined, query: Record<string, string> = {}) =>
    call('GET', `${CHECK}?${new URLSearchParams(query)}`, token === undefined ? {} : { token })
  const passes = async (t: Test, token: string, query: Record<string, string>, said: object, title: string) => {
    const { status, body, headers } = await check(token, query)
    const { 'content-type': type, 'cache-control': kept } = headers
    t.strictSame([status, body, type, kept], [204, '', undefined, 'no-store'], title)
    const { cid } = decodeJwt(token)
    t.match(headers, { 'x-auth-client': 'box', 'x-auth-authorization': cid, ...said }, title)
  }
  const INVALID = `${BEARER}, error="invalid_token"`

  t.test('204 a token, its resource, its scopes', async (t) => {
    const films = await tokenFor(FILMS, 'films.read films.write')
    const said = { 'x-auth-subject': 'ann', 'x-auth-scope': 'films.read films.write' }
    await passes(t, films, { resource: FILMS }, said, 'for its resource')
    await passes(t, films, { resource: FILMS, scope: '' }, said, 'no scope is needed')
    await passes(t, films, { resource: FILMS, scope: 'films.write' }, said, 'one is')
    await passes(t, films, { resource: FILMS, scope: 'films.write  films.read' }, said, 'both are')
    const { access_token } = await tokens(BOX, 'reports.read')
    await passes(t, access_token, {}, { 'x-auth-scope': 'reports.read' }, 'for the service itself')
    const bare = await tokenFor(BOOKS, 'reports.read')
    await passes(t, bare, { resource: BOOKS }, { 'x-auth-scope': '' }, 'without a scope the header is there as well')
    const head = await app.inject({ method: 'HEAD', url: CHECK, headers: { authorization: `bearer ${access_token}` } })
    t.strictSame([head.statusCode, head.headers['x-auth-subject']], [204, 'ann'], 'HEAD')
  })

  t.test('204 whoever the user is, the header says so in ASCII, and only of them', async (t) => {
    const users = ['ann@example.com', 'a b', ' a b', '100%', '100%25', 'アン', 'é\r\nx-auth-client: x', '\u0000', '😀']
    const seen = new Set<string>()
    for (const user of users) {
      const { headers, status } = await check((await tokens(BOX, 'openid', user)).access_token)
      const said = String(headers['x-auth-subject'])
      t.equal(status, 204, JSON.stringify(user))
      t.match(said, /^[!-~]+$/)
      t.equal(decodeURIComponent(said), user)
      seen.add(said)
    }
    t.equal(seen.size, users.length)
    t.ok(seen.has('ann@example.com'), 'the usual ones as they are')
  })

  t.test('401 whatever is no living access token for just this', async (t) => {
    const films = await tokenFor(FILMS, 'films.read')
    const { access_token: own, refresh_token } = await tokens(BOX, 'openid offline_access')
    const notThis = {
      'for another resource': [films, { resource: BOOKS }],
      'for a resource, where the service itself is meant': [films, {}],
      'for the service itself, where a resource is meant': [own, { resource: FILMS }],
      'for a resource that nobody knows': [films, { resource: 'https://films.example' }],
      'a refresh token': [refresh_token, {}],
      'one scope missing is no matter of a token for something else': [films, { resource: BOOKS, scope: 'books.read' }]
    } as const
    for (const [title, [token, query]] of Object.entries(notThis)) {
      t.comment(title)
      oauthRefused(t, await check(token, query), 401, 'invalid_token', INVALID)
    }
    for (const [name, token] of Object.entries(await noTokens(service))) {
      if (/[^ -~]|\s/.test(token)) continue
      t.comment(name)
      for (const query of [{}, { resource: FILMS }]) {
        oauthRefused(t, await check(token, query), 401, 'invalid_token', INVALID)
      }
    }
    for (const headers of [{}, { authorization: 'Bearer' }, basicAuth(BOX)]) {
      const answer = await call('GET', CHECK, { headers: headers as Record<string, string> })
      t.strictSame([answer.status, answer.body, answer.headers['www-authenticate']], [401, {}, BEARER])
    }
    t.equal((await call('GET', `${CHECK}?access_token=${own}`)).status, 401, 'nor is it looked for in the URL')
  })

  t.test('401 from the very next call: revoked by its client, by its user, the user blocked, expired', async (t) => {
    const ends: Record<string, (token: string) => unknown> = {
      'by its client': (token) => service.revoke(token, BOX),
      'by its user': async (token) =>
        call('DELETE', `/auth/clients/${decodeJwt(token).cid}`, { token: await session('zoe') }),
      'of everything': () => app.core.authorizations.revokeAll('zoe', 'owner', BY),
      'the user blocked': () => app.core.users.block('zoe', BY),
      'at its end': () => clock.advance(3_600_000)
    }
    for (const [title, end] of Object.entries(ends)) {
      const token = await tokenFor(FILMS, 'films.read', 'zoe')
      await passes(t, token, { resource: FILMS }, { 'x-auth-subject': 'zoe' }, title)
      await end(token)
      oauthRefused(t, await check(token, { resource: FILMS }), 401, 'invalid_token', INVALID)
      await app.core.users.unblock('zoe', BY)
    }
  })

  t.test('403 insufficient_scope names all that are needed', async (t) => {
    const films = await tokenFor(FILMS, 'films.read')
    for (const scope of ['films.write', 'films.read films.write', 'x']) {
      const challenge = `${BEARER}, error="insufficient_scope", scope="${scope}"`
      oauthRefused(t, await check(films, { resource: FILMS, scope }), 403, 'insufficient_scope', challenge)
    }
  })

  t.test('400 what cannot be meant', async (t) => {
    const films = await tokenFor(FILMS, 'films.read')
    const authorization = `Bearer ${films}`
    for (const query of ['scope=%22', `scope=${'x'.repeat(1_025)}`, 'resource=', `resource=${'x'.repeat(1_025)}`]) {
      t.equal((await app.inject({ url: `${CHECK}?${query}`, headers: { authorization } })).statusCode, 400, query)
    }
    const twice = `resource=${encodeURIComponent(FILMS)}&resource=${encodeURIComponent(BOOKS)}`
    t.equal(
      (await app.inject({ url: `${CHECK}?${twice}`, headers: { authorization } })).statusCode,
      400,
      'two resources'
    )
    for (const name of ['scopes', 'Scope', 'scope[]', 'aud', '__proto__']) {
      const misspelt = `resource=${encodeURIComponent(FILMS)}&${name}=films.write`
      const { statusCode } = await app.inject({ url: `${CHECK}?${misspelt}`, headers: { authorization } })
      t.equal(statusCode, 400, `${name} is no condition`)
    }
    const beside = await app.inject({ url: `${CHECK}?access_token=${films}`, headers: { authorization } })
    t.equal(beside.statusCode, 400, 'a second token')
  })

  t.test('405 with what is allowed', async (t) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      const { statusCode, headers } = await app.inject({ method, url: CHECK })
      t.strictSame([statusCode, headers.allow], [405, 'GET, HEAD'], method)
    }
  })
})

t.test('pages of any origin', async (t) => {
  const service = await startTokensApp(t, { LIMITS: 'off', CORS_ORIGINS: 'https://dash.example' })
  const { app, collect } = service
  const { providerId } = await makeOneOfEach(service.api)
  const token = await collect('ann')
  const ACCESS = 'access-control-'
  const ask = async (
    method: 'GET' | 'POST' | 'OPTIONS',
    url: string,
    headers: Record<string, string> = {},
    form?: Record<string, string>
  ) => {
    const type = 'application/x-www-form-urlencoded'
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...{ host: 'localhost', origin: 'https://any.example', ...(form && { 'content-type': type }) },
        ...headers
      },
      ...(form && { payload: new URLSearchParams(form).toString() })
    })
    const cors = Object.entries(answer.headers).filter(([name]) => name.startsWith(ACCESS))
    return {
      ...answer,
      status: answer.statusCode,
      cors: Object.fromEntries(cors.map(([name, value]) => [name.slice(ACCESS.length), value]))
    }
  }
  const preflight = (url: string, headers: Record<string, string> = {}) =>
    ask('OPTIONS', url, { 'access-control-request-method': 'GET', ...headers })
  const documents = [
    ...[OPENID, OAUTH, JWKS],
    ...['openid-configuration', 'jwks', 'jwks.json'].map((name) => `/${providerId}/.well-known/${name}`)
  ]
  const READABLE = { 'allow-origin': '*', 'expose-headers': 'retry-after, x-request-id' }

  t.test('200 may read the documents and keys of this service and of issuers', async (t) => {
    for (const url of documents) {
      const { status, cors, headers } = await ask('GET', url)
      t.strictSame([status, cors], [200, READABLE], url)
      t.notOk('vary' in headers, `${url}: the same for everybody, so that it is cached once`)
      const asked = await preflight(url, { 'access-control-request-headers': 'accept-language' })
      const allowed = { 'allow-methods': 'GET', 'allow-headers': '*', 'max-age': '600' }
      t.strictSame([asked.status, asked.body, asked.cors], [204, '', { ...READABLE, ...allowed }], `OPTIONS ${url}`)
    }
  })

  t.test('2xx may ask for userinfo with an access token, and read why not', async (t) => {
    const readable = { ...READABLE, 'expose-headers': `www-authenticate, ${READABLE['expose-headers']}` }
    for (const method of ['GET', 'POST'] as const) {
      const refusal = await ask(method, USERINFO, { authorization: `Bearer ${token}` })
      t.strictSame([refusal.status, refusal.cors], [403, readable], `${method} without openid`)
      const nobody = await ask(method, USERINFO)
      t.strictSame([nobody.status, nobody.cors], [401, readable], `${method} without a token`)
    }
    const asked = await preflight(USERINFO, { 'access-control-request-headers': 'authorization' })
    const allowed = { 'allow-methods': 'GET, POST', 'allow-headers': 'authorization, content-type', 'max-age': '600' }
    t.strictSame([asked.status, asked.cors], [204, { ...readable, ...allowed }])
  })

  t.test('200 may ask for tokens and revoke them, as clients that are pages do, and read why not', async (t) => {
    const begun = (await ask('POST', '/oauth/device_authorization', {}, { client_id: 'cli' })).json()
    const grant = { client_id: 'cli', grant_type: DEVICE_CODE, device_code: begun.device_code }
    const pending = await ask('POST', TOKEN, {}, grant)
    t.strictSame([pending.status, pending.json(), pending.cors], [400, { error: 'authorization_pending' }, READABLE])
    await service.decide(begun.user_code, 'ann')
    const collected = await ask('POST', TOKEN, {}, grant)
    t.strictSame([collected.status, collected.cors], [200, READABLE])
    const revoked = await ask('POST', REVOKE, {}, { client_id: 'cli', token: collected.json().access_token })
    t.strictSame([revoked.status, revoked.cors], [200, READABLE])
    for (const url of [TOKEN, REVOKE]) {
      const form = { client_id: 'nobody', grant_type: 'refresh_token', refresh_token: 'x', token: 'x' }
      const refused = await ask('POST', url, {}, form)
      t.strictSame([refused.status, refused.cors], [401, READABLE], url)
      const asked = await preflight(url, { 'access-control-request-headers': 'mcp-protocol-version' })
      const allowed = { 'allow-methods': 'POST', 'allow-headers': '*', 'max-age': '600' }
      t.strictSame([asked.status, asked.body, asked.cors], [204, '', { ...READABLE, ...allowed }], `OPTIONS ${url}`)
      const plain = await app.inject({ method: 'POST', url, payload: {} })
      t.notOk('access-control-allow-origin' in plain.headers, `${url}: programs are told nothing of it`)
    }
  })

  t.test('405 OPTIONS that is no preflight, and what a document does not have', async (t) => {
    for (const url of [...documents, USERINFO, TOKEN, REVOKE]) {
      t.equal((await app.inject({ method: 'OPTIONS', url })).statusCode, 405, url)
      t.equal((await ask('OPTIONS', url)).status, 405, `${url} without a method`)
    }
    t.strictSame((await ask('POST', JWKS)).cors, READABLE)
  })

  t.test('and nothing else', async (t) => {
    const others = [
      ...['/oauth/authorize', '/oauth/introspect', '/oauth/device_authorization', '/oauth/revocations', '/v1/providers']
    ]
    for (const url of [...others, CHECK, '/api/v0/auth/clients', '/healthz', `/${providerId}/.well-known/x`]) {
      t.notOk('allow-origin' in (await preflight(url)).cors, `OPTIONS ${url}`)
      for (const method of ['GET', 'POST'] as const) t.notOk('allow-origin' in (await ask(method, url)).cors, url)
    }
  })
})

t.test('limits', async (t) => {
  const proxy = { LIMITS: 'on', TRUST_PROXY: '127.0.0.1', LIMIT_START_PER_MINUTE: '100000' }
  const from = (ip: string) => ({ 'x-forwarded-for': ip })

  /** Checks a refusal by a limit, with the seconds until the next allowed request. */
  function limited(t: Test, answer: Answer, retryAfter: number, title: string): void {
    t.comment(title)
    oauthRefused(t, answer, 429, 'temporarily_unavailable')
    t.equal(answer.headers['retry-after'], `${retryAfter}`, `${title}: Retry-After`)
  }

  t.test('429 device authorization: as many as the dashboard’s starts, together with them', async (t) => {
    const service = await startOAuthApp(t, { ...proxy, LIMIT_START_PER_MINUTE: '3' })
    const { clock, call, post } = service
    const authorize = (ip: string) => post('/oauth/device_authorization', CLI, from(ip))
    const start = (ip: string) => call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers: from(ip) })
    t.equal((await authorize('192.0.2.1')).status, 200)
    t.equal((await start('192.0.2.1')).status, 200)
    clock.advance(20_000)
    t.equal((await authorize('192.0.2.1')).status, 200)
    limited(t, await authorize('192.0.2.1'), 40, 'the fourth')
    t.equal((await start('192.0.2.1')).status, 429, 'on the other surface too')
    t.equal((await authorize('192.0.2.2')).status, 200, 'the neighbour')
    clock.advance(40_000)
    t.equal((await start('192.0.2.1')).status, 200)
    t.equal((await authorize('192.0.2.1')).status, 200)
  })

  t.test('429 device authorization: refused ones count as well, and so does the issuer’s path', async (t) => {
    const variables = { ...proxy, LIMIT_START_PER_MINUTE: '3', PUBLIC_URL: 'https://grants.example/base' }
    const { post } = await startOAuthApp(t, variables)
    oauthRefused(t, await post('/oauth/device_authorization', { client_id: 'nobody' }), 401, 'invalid_client')
    t.equal((await post('/base/oauth/device_authorization', CLI)).status, 200)
    t.equal((await post('/oauth/device_authorization', CLI)).status, 200)
    limited(t, await post('/base/oauth/device_authorization', CLI), 60, 'with the path')
    limited(t, await post('/oauth/device_authorization', CLI), 60, 'without it')
  })

  t.test('400 slow_down, to refreshes: each address; polls do not count, nor does who is no client', async (t) => {
    const service = await startOAuthApp(t, { ...proxy, LIMIT_REFRESH_PER_MINUTE: '2' })
    const { clock, post, tokens } = service
    let { refresh_token } = await tokens()
    const ask = (parameters: Record<string, string>, ip: string) => post('/oauth/token', parameters, from(ip))
    const refresh = async (ip: string, token = refresh_token) => {
      const answer = await ask({ client_id: 'cli', grant_type: 'refresh_token', refresh_token: token }, ip)
      refresh_token = answer.body.refresh_token ?? refresh_token
      return answer
    }
    /** The token endpoint answers slow_down like a poll, because stock clients give up at a 429 but obey slow_down. */
    const slowed = (t: Test, answer: Answer, title: string) => {
      t.comment(title)
      oauthRefused(t, answer, 400, 'slow_down')
      t.equal(answer.headers['retry-after'], '60', `${title}: Retry-After`)
    }
    const poll = () => ask({ client_id: 'cli', grant_type: DEVICE_CODE, device_code: 'A'.repeat(43) }, '192.0.2.1')
    for (let i = 0; i < 5; i++) {
      t.equal((await poll()).body.error, 'invalid_grant')
      const nobody = { client_id: 'nobody', grant_type: 'refresh_token', refresh_token }
      t.equal((await ask(nobody, '192.0.2.1')).status, 401)
    }
    for (const _ of [1, 2]) t.equal((await refresh('192.0.2.1')).status, 200)
    slowed(t, await refresh('192.0.2.1'), 'the third')
    t.equal((await poll()).body.error, 'invalid_grant', 'a poll is never limited so')
    t.equal((await refresh('192.0.2.2')).status, 200, 'the neighbour')
    clock.advance(60_000)
    t.equal((await refresh('192.0.2.1')).status, 200)
    for (const _ of [1, 2]) t.equal((await refresh('192.0.2.3', 'x')).body.error, 'invalid_grant')
    slowed(t, await refresh('192.0.2.3', 'x'), 'guesses')
  })

  t.test('429 revoke: each address, refused ones as well', async (t) => {
    const { clock, post, tokens } = await startOAuthApp(t, { ...proxy, LIMIT_REVOKE_PER_MINUTE: '2' })
    const { access_token: token } = await tokens()
    const revoke = (parameters: Record<string, string>, ip: string) => post(REVOKE, parameters, from(ip))
    t.equal((await revoke({ ...CLI, token: 'x' }, '192.0.2.1')).status, 200)
    t.equal((await revoke({}, '192.0.2.1')).status, 400)
    limited(t, await revoke({ ...CLI, token }, '192.0.2.1'), 60, 'the third')
    t.equal((await revoke({ ...CLI, token }, '192.0.2.2')).status, 200, 'the neighbour')
    clock.advance(60_000)
    t.equal((await revoke({ ...CLI, token }, '192.0.2.1')).status, 200)
  })

  t.test('429 introspect: each caller, from wherever; who is refused takes nothing from it', async (t) => {
    const service = await startOAuthApp(t, { ...proxy, LIMIT_INTROSPECT_PER_MINUTE: '2' })
    const { clock, post } = service
    const introspect = (client: Credentials, ip: string) => post(INTROSPECT, { ...client, token: 'x' }, from(ip))
    for (let i = 0; i < 5; i++) {
      t.equal((await introspect({ ...API, client_secret: 'wrong' }, '192.0.2.1')).status, 401)
      t.equal((await introspect(CLI, '192.0.2.1')).status, 401)
    }
    t.equal((await introspect(API, '192.0.2.1')).status, 200)
    t.equal((await introspect(API, '192.0.2.2')).status, 200)
    limited(t, await introspect(API, '192.0.2.3'), 60, 'the third')
    t.equal((await introspect(BOX, '192.0.2.1')).status, 200, 'another client')
    clock.advance(60_000)
    t.equal((await introspect(API, '192.0.2.1')).status, 200)
  })

  t.test('429 userinfo: each address, by GET and POST together, with a token or without', async (t) => {
    const { clock, call, tokens } = await startOAuthApp(t, { ...proxy, LIMIT_USERINFO_PER_MINUTE: '3' })
    const { access_token: token } = await tokens()
    const ask = (method: 'GET' | 'POST', ip: string) => call(method, USERINFO, { token, headers: from(ip) })
    t.equal((await ask('GET', '192.0.2.1')).status, 200)
    t.equal((await ask('POST', '192.0.2.1')).status, 200)
    t.equal((await call('GET', USERINFO, { headers: from('192.0.2.1') })).status, 401)
    limited(t, await ask('GET', '192.0.2.1'), 60, 'GET')
    limited(t, await ask('POST', '192.0.2.1'), 60, 'POST')
    t.equal((await ask('GET', '192.0.2.2')).status, 200, 'the neighbour')
    clock.advance(60_000)
    t.equal((await ask('GET', '192.0.2.1')).status, 200)
  })

  t.test('no limit on one takes from another, and discovery has none', async (t) => {
    const service = await startOAuthApp(t, {
      ...proxy,
      ...{ LIMIT_START_PER_MINUTE: '1', LIMIT_REFRESH_PER_MINUTE: '1', LIMIT_REVOKE_PER_MINUTE: '1' },
      ...{ LIMIT_INTROSPECT_PER_MINUTE: '1', LIMIT_USERINFO_PER_MINUTE: '1' }
    })
    const { call, tokens, refresh, revoke, introspect, userinfo } = service
    const { access_token, refresh_token } = await tokens(BOX, 'openid offline_access')
    t.equal((await refresh(refresh_token, BOX)).status, 200)
    t.equal((await introspect(access_token)).status, 200)
    t.equal((await userinfo(access_token)).status, 200)
    t.equal((await revoke(refresh_token, BOX)).status, 200)
    const statuses = new Set<number>()
    for (let i = 0; i < 150; i++) statuses.add((await call('GET', '/.well-known/openid-configuration')).status)
    t.strictSame([...statuses], [200])
  })

  t.test('the defaults are 120 refreshes, 60 revocations, 120 userinfos', async (t) => {
    const { LIMIT_START_PER_MINUTE: _, ...defaults } = proxy
    const service = await startOAuthApp(t, defaults)
    const { refresh, revoke, call } = service
    const bounds: [name: string, bound: number, ask: () => Promise<Answer>][] = [
      ['refresh', 120, () => refresh('x')],
      ['revoke', 60, () => revoke('x')],
      ['userinfo', 120, () => call('GET', USERINFO)]
    ]
    for (const [name, bound, ask] of bounds) {
      const errors = new Set<string>()
      for (let i = 0; i < bound; i++) errors.add((await ask()).body.error)
      t.equal(errors.size, 1, `${name}: ${bound} in a minute`)
      const answer = await ask()
      if (name !== 'refresh') limited(t, answer, 60, `${name}: one more`)
      else t.strictSame([answer.status, answer.body.error, answer.headers['retry-after']], [400, 'slow_down', '60'])
    }
  })
})
