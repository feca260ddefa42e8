import t, { type Test } from 'tap'
import { type Answer, startApp } from '../../support/app.js'
import { BOX, basicAuth, clientsFile, DEVICE_CODE, startOAuthApp } from '../../support/oauth-app.js'
import { freePort } from '../../support/ports.js'
import { oauthHeaders, oauthRefused, refused } from '../expectations.js'

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
  claims_supported: ['iss', 'sub', 'aud', 'iat', 'exp', 'name', 'email', 'email_verified']
})

function isDocument(t: Test, answer: Answer, issuer: string, title: string): void {
  t.equal(answer.status, 200, title)
  t.strictSame(answer.body, documentOf(issuer), title)
  oauthHeaders(t, answer, title, FIVE_MINUTES)
}

t.test('200 an issuer without a path', async (t) => {
  const issuer = 'https://grants.example'
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
  isDocument(t, await call('GET', OPENID), 'http://localhost:4000', OPENID)
})

t.test('200 an issuer with a path', async (t) => {
  const issuer = 'https://grants.example/a/base'
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
      oauthRefused(t, await post(`${base}/oauth/introspect`, { ...form, token: 'x' }), 401, 'invalid_client')
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
      await app.core.signingKeys.rotate('published-ahead')
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
