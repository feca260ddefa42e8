/** GET and POST /oauth/authorize, the question that they lead to, and POST /oauth/token with a code. */
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { authorizationOf, awaiting } from '../../../src/core/authorizations/approval.js'
import { KEEP_LISTED_MS, MOST_ACTIVE, toFields } from '../../../src/core/authorizations/authorization.js'
import { fault } from '../../../src/core/fault.js'
import { texts } from '../../../src/routes/pages/texts/languages.js'
import { type Answer, startApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import {
  answer,
  approved,
  challengeOf,
  codeRequest,
  LOOPBACK,
  onwardOf,
  queryOf,
  redeemCode,
  type Sent
} from '../../support/code-flow.js'
import { CLI, clientsFile, type OAuthApp, startOAuthApp } from '../../support/oauth-app.js'
import { startIdentityProvider } from '../../support/oidc-upstream.js'
import { startPlainProvider } from '../../support/plain-upstream.js'
import { providersFile, signInAt } from '../../support/sign-in.js'
import {
  ASK_COOKIE,
  createVisitor,
  type Page,
  SESSION_COOKIE,
  signedIn,
  VISITOR_COOKIE,
  type Visitor
} from '../../support/visitor.js'
import { oauthRefused } from '../expectations.js'
import { pageHeaders } from '../pages/expectations.js'

const ISSUER = 'http://localhost:3333'
const WEB = 'https://app.example/cb?from=grantd'
const NATIVE = 'com.example.app:/cb'
const FILMS = 'https://films.example'

async function setUp(t: Test): Promise<{ service: OAuthApp; ann: Visitor }> {
  const clients = [
    {
      client_id: 'web',
      client_name: 'Web App',
      scope: 'openid',
      redirect_uris: [WEB, NATIVE, 'http://localhost/here']
    },
    { client_id: 'tv', scope: 'openid' },
    { client_id: 'films', scope: 'openid', resources: [FILMS], redirect_uris: [WEB] },
    { client_id: 'only', grant_types: ['authorization_code'], redirect_uris: [WEB] }
  ]
  const resources = [{ identifier: FILMS, name: 'Films', scope: 'films.read' }]
  const service = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: clientsFile(t, clients, resources) })
  return { service, ann: await signedIn(service) }
}

function spent(t: Test, answer: Answer, title = 'the code'): void {
  t.equal(answer.body.error, 'invalid_grant', title)
  oauthRefused(t, answer, 400, 'invalid_grant')
}

/** The parameters with which a request goes back to the client. */
function backOf(t: Test, page: Page, to = LOOPBACK): Record<string, string> {
  t.equal(page.status, 303)
  t.ok(page.location?.startsWith(`${to}${to.includes('?') ? '&' : '?'}`), `${page.location}`)
  return Object.fromEntries(new URL(page.location ?? '').searchParams)
}

t.test('200 the whole way: question, answer, tokens, and what they say', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest({ nonce: 'n-1' })
  const sentOn = await ann.get(request.path)
  t.match(sentOn.location, /^\/authorize\/[\w-]{22}$/)
  pageHeaders(t, sentOn, 'the way to the question')
  const question = await ann.follow(sentOn)
  t.match(question.text, 'A program asks for access')
  t.match(question.text, 'a program on this computer (127.0.0.1:52525)')
  t.match(question.text, 'stay connected without asking you again')
  service.clock.advance(2_000)
  const url = await answer(ann)
  t.equal(url.origin + url.pathname, LOOPBACK)
  t.strictSame([...url.searchParams.keys()], ['code', 'state', 'iss'])
  t.match(Object.fromEntries(url.searchParams), { code: /^[\w-]{43}$/, state: 'a state', iss: ISSUER })
  const { status, body, headers } = await redeemCode(service, url.searchParams.get('code') ?? '', request)
  t.equal(status, 200)
  t.match(headers, { 'cache-control': 'no-store', pragma: 'no-cache' })
  t.ok(body.expires_in >= 3_599 && body.expires_in <= 3_600, `${body.expires_in} s`)
  t.match(body, { token_type: 'Bearer', scope: 'openid offline_access' })
  const id = decodeJwt(body.id_token)
  t.match(id, { iss: ISSUER, sub: 'ann', aud: 'cli', nonce: 'n-1' })
  t.equal(id.auth_time, Math.floor((service.clock() - 2_000) / 1000), 'when she signed in, not when she approved')
  t.match(decodeJwt(body.access_token), {
    iss: ISSUER,
    sub: 'ann',
    aud: ISSUER,
    client_id: 'cli',
    scope: 'openid offline_access'
  })
  const refreshed = await service.refresh(body.refresh_token)
  t.equal(refreshed.status, 200)
  t.notOk('nonce' in decodeJwt(refreshed.body.id_token), 'a refresh is no sign-in')
  t.equal((await ann.get('/account/clients')).text.includes('127.0.0.1'), true, 'it is in her list')
  t.equal((await service.revoke(body.access_token)).status, 200)
  oauthRefused(t, await service.refresh(refreshed.body.refresh_token), 400, 'invalid_grant')
})

t.test('200 a denial goes back as one, and leaves nothing', async (t) => {
  const { ann } = await setUp(t)
  await ann.follow(ann.get(codeRequest().path))
  const url = await answer(ann, 'deny')
  t.match(Object.fromEntries(url.searchParams), { error: 'access_denied', state: 'a state', iss: ISSUER })
  t.notOk(url.searchParams.has('code'))
  t.match((await ann.get('/account/clients')).text, 'No program may act for you yet')
})

t.test('400 a code is good once, for its client, redirect URI and verifier', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const code = await approved(ann, request)
  const wrong: [string, Sent, typeof CLI?][] = [
    ['another verifier', { code_verifier: codeRequest().verifier }],
    ['no verifier', { code_verifier: undefined }],
    ['the challenge', { code_verifier: challengeOf(request.verifier) }],
    ['another redirect URI', { redirect_uri: 'http://127.0.0.1:52526/callback' }],
    ['another client', {}, { client_id: 'mcp' }],
    ['another code', { code: 'A'.repeat(43) }],
    ['no code at all', { code: 'x' }]
  ]
  for (const [title, parameters, client] of wrong) {
    spent(t, await redeemCode(service, code, request, parameters, client), title)
  }
  oauthRefused(t, await redeemCode(service, code, request, { code: '' }), 400, 'invalid_request')
  spent(t, await service.redeem(code), 'it is no device code')
  t.equal((await service.revoke(code)).status, 200)
  const { status, body } = await redeemCode(service, code, request)
  t.equal(status, 200, 'none of which has used it up')
  spent(t, await redeemCode(service, code, request, { code_verifier: 'x' }), 'a thief without the verifier')
  t.equal((await service.userinfo(body.access_token)).status, 200, 'cannot end what it led to')
  spent(t, await redeemCode(service, code, request), 'a second use')
  t.equal((await service.userinfo(body.access_token)).status, 401, 'revokes')
  oauthRefused(t, await service.refresh(body.refresh_token), 400, 'invalid_grant')
})

t.test('400 a code that was asked for without a challenge is none, with a verifier or without', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  for (const without of [{ code_challenge: undefined, code_challenge_method: undefined }, { code_challenge: '' }]) {
    const back = backOf(t, await ann.get(codeRequest(without).path))
    t.match(back, { error: 'invalid_request', error_description: /PKCE/ })
    t.notOk('code' in back, 'nobody can leave the challenge out on the way (RFC 9700 §4.8)')
  }
  const { device_code, user_code } = await service.authorize()
  await service.approve(user_code)
  for (const code_verifier of [request.verifier, undefined]) {
    spent(t, await redeemCode(service, device_code, request, { code_verifier }), 'a device code is no code')
  }
  t.equal((await service.redeem(device_code)).status, 200, 'and is used up by none of that')
})

t.test('200 without a redirect URI at the token endpoint (OAuth 2.1)', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  t.equal((await redeemCode(service, await approved(ann, request), request, { redirect_uri: undefined })).status, 200)
})

t.test('400 a code that is older than a minute', async (t) => {
  const { service, ann } = await setUp(t)
  const [one, other] = [codeRequest(), codeRequest()]
  const [early, late] = [await approved(ann, one), await approved(ann, other)]
  service.clock.advance(59_999)
  t.equal((await redeemCode(service, early, one)).status, 200)
  service.clock.advance(1)
  spent(t, await redeemCode(service, late, other))
})

t.test('400 of many redemptions at once one brings tokens', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const code = await approved(ann, request)
  const answers = await Promise.all(Array.from({ length: 200 }, () => redeemCode(service, code, request)))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  t.equal(answers.filter(({ body }) => body.error === 'invalid_grant').length, 199)
})

t.test('400 a page, and no redirect, for a client or a redirect URI that is not known', async (t) => {
  const { ann } = await setUp(t)
  const places: Sent[] = [
    { client_id: 'nobody' },
    { client_id: undefined },
    { client_id: ['cli', 'cli'] },
    { redirect_uri: undefined },
    { redirect_uri: [LOOPBACK, LOOPBACK] },
    ...[
      'https://evil.example/',
      'http://127.0.0.1.evil.example/',
      'http://127.0.0.1:1@evil.example/',
      'http://127.0.0.1\\@evil.example/',
      'http://user@127.0.0.1/',
      'http://127.0.0.1/#x',
      'http://127.0.0.1/?x=y',
      'http://127.0.0.1:0/',
      'http://127.0.0.1:65536/',
      'http://127.1/',
      'http://2130706433/',
      'http://[::2]/',
      'https://127.0.0.1/',
      'HTTP://127.0.0.1/',
      '//127.0.0.1/',
      'javascript:alert(1)//127.0.0.1',
      'data:text/html,x',
      'http://127.0.0.1/\r\nx: y',
      'http://127.0.0.1/ü',
      `http://127.0.0.1/${'x'.repeat(1_024)}`
    ].map((redirect_uri) => ({ redirect_uri })),
    ...[
      'https://app.example/cb',
      `${WEB}&x`,
      'https://app.example/CB?from=grantd',
      'com.example.app:/',
      'http://localhost/'
    ].map((redirect_uri) => ({ client_id: 'web', redirect_uri })),
    { client_id: 'web', redirect_uri: LOOPBACK },
    { client_id: 'tv', redirect_uri: LOOPBACK }
  ]
  for (const parameters of places) {
    for (const [method, { path, sent }] of [
      ['GET', codeRequest(parameters)],
      ['POST', codeRequest(parameters)]
    ] as const) {
      const page =
        method === 'GET' ? await ann.get(path) : await ann.post('/oauth/authorize', {}, { payload: queryOf(sent) })
      t.equal(page.status, 400, JSON.stringify(parameters))
      t.equal(page.location, undefined)
      pageHeaders(t, page, 'a page of an error')
      t.match(page.headers, { 'content-type': 'text/html; charset=utf-8', 'x-frame-options': 'DENY' })
      t.notMatch(page.body, 'evil')
      t.match(page.text, /is not known to this service|is not registered for it/)
    }
  }
  t.ok(places.length >= 32, `${places.length} of them`)
})

t.test('303 redirect URIs of loopback have any port, and those of the built-in clients any path', async (t) => {
  const { ann } = await setUp(t)
  const right: [client: string, uri: string][] = [
    ['cli', 'http://127.0.0.1'],
    ['cli', 'http://127.0.0.1:1/'],
    ['mcp', 'http://localhost:65535/oauth/callback'],
    ['other', 'http://[::1]:8080/a/b-c~d'],
    ['web', 'http://localhost/here'],
    ['web', 'http://localhost:4000/here'],
    ['web', WEB],
    ['web', NATIVE]
  ]
  for (const [client_id, redirect_uri] of right) {
    const { path } = codeRequest({ client_id, redirect_uri, scope: 'openid' })
    await ann.follow(ann.get(path))
    const url = await answer(ann)
    t.ok(url.href.startsWith(redirect_uri), `${url.href.slice(0, 40)} for ${redirect_uri}`)
    t.ok(url.searchParams.has('code'), redirect_uri)
  }
})

t.test('303 every other error goes back to the client, with state and iss', async (t) => {
  const { ann } = await setUp(t)
  const wrong: [error: string, parameters: Sent][] = [
    ['invalid_request', { response_type: undefined }],
    ['invalid_request', { response_type: '' }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['unsupported_response_type', { response_type: 'code id_token' }],
    ['invalid_request', { response_mode: 'fragment' }],
    ['invalid_request', { response_mode: 'form_post' }],
    ['invalid_request', { code_challenge: undefined }],
    ['invalid_request', { code_challenge: 'short' }],
    ['invalid_request', { code_challenge: `${'A'.repeat(43)}=` }],
    ['invalid_request', { code_challenge_method: undefined }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_scope', { scope: 'films.read' }],
    ['invalid_scope', { scope: 'openid "' }],
    ['invalid_target', { resource: FILMS }],
    ['request_not_supported', { request: 'e30.e30.' }],
    ['request_uri_not_supported', { request_uri: 'https://evil.example/r' }],
    ['registration_not_supported', { registration: '{}' }],
    ['invalid_request', { prompt: 'create' }],
    ['invalid_request', { prompt: 'none login' }],
    ['invalid_request', { max_age: 'soon' }],
    ['invalid_request', { max_age: '-1' }],
    ['invalid_request', { nonce: 'n'.repeat(3_000) }],
    ['invalid_request', { device_name: 'x'.repeat(256) }],
    ['invalid_request', { client_version: 'x'.repeat(65) }],
    ...[
      'response_type',
      'scope',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'prompt',
      'max_age',
      'ui_locales',
      'login_hint',
      'device_name',
      'client_version'
    ].map((name): [string, Sent] => ['invalid_request', { [name]: ['1', '1'] }])
  ]
  for (const [error, parameters] of wrong) {
    const { path, sent } = codeRequest(parameters)
    const back = backOf(t, await ann.get(path))
    t.match(back, { error, state: 'a state', iss: ISSUER }, JSON.stringify(parameters).slice(0, 60))
    t.match(back.error_description, /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/)
    const isLate = parameters.nonce !== undefined && !Array.isArray(parameters.nonce)
    if (!isLate)
      t.strictSame(backOf(t, await ann.post('/oauth/authorize', {}, { payload: queryOf(sent) })), back, 'by POST')
  }
  const twice = backOf(t, await ann.get(codeRequest({ state: ['1', '2'] }).path))
  t.strictSame([twice.error, twice.state], ['invalid_request', undefined])
  const without = backOf(t, await ann.get(codeRequest({ state: undefined, scope: 'x' }).path))
  t.strictSame([without.error, 'state' in without, without.iss], ['invalid_scope', false, ISSUER])
  const kept = backOf(t, await ann.get(codeRequest({ client_id: 'web', redirect_uri: WEB, scope: 'x' }).path), WEB)
  t.match(kept, { from: 'grantd', error: 'invalid_scope' }, 'the query of a redirect URI stays')
})

t.test('303 prompt=none approves nothing', async (t) => {
  const { service, ann } = await setUp(t)
  const { path } = codeRequest({ prompt: 'none' })
  t.match(backOf(t, await createVisitor(service).get(path)), { error: 'login_required' })
  t.match(backOf(t, await ann.get(path)), { error: 'consent_required', state: 'a state', iss: ISSUER })
  await approved(ann, codeRequest())
  t.match(backOf(t, await ann.get(path)), { error: 'consent_required' }, 'nor after an approval')
  service.clock.advance(10_000)
  t.match(backOf(t, await ann.get(codeRequest({ prompt: 'none', max_age: '9' }).path)), { error: 'login_required' })
  t.match(backOf(t, await ann.get(codeRequest({ prompt: 'none', max_age: '10' }).path)), { error: 'consent_required' })
})

t.test('303 prompt=login and max_age have the user sign in again, once', async (t) => {
  const { service, ann } = await setUp(t)
  service.clock.advance(10_000)
  for (const parameters of [{ prompt: 'login' }, { max_age: '9' }, { max_age: '0' }, { prompt: 'consent login' }]) {
    const request = codeRequest(parameters)
    const login = await ann.follow(ann.get(request.path))
    t.match(login.text, 'Sign in once more', JSON.stringify(parameters))
    const question = await ann.follow(ann.post('/login', { name: 'ann' }))
    t.match(question.text, 'A program asks for access')
    const { body } = await redeemCode(service, (await answer(ann)).searchParams.get('code') ?? '', request)
    t.equal(decodeJwt(body.id_token).auth_time, Math.floor(service.clock() / 1000))
    service.clock.advance(10_000)
  }
  t.match((await ann.follow(ann.get(codeRequest({ max_age: '10' }).path))).text, 'A program asks for access')
})

t.test('303 max_age counts at the question and at the answer, too', async (t) => {
  const { service, ann } = await setUp(t)
  service.clock.advance(5_000)
  const request = codeRequest({ max_age: '9' })
  const question = await ann.follow(ann.get(request.path))
  t.match(question.text, 'A program asks for access')
  service.clock.advance(4_001)
  const late = await ann.post(question.url, { action: 'approve', sure: 'yes' })
  t.match(late.location, /^\/login\?ask=/)
  t.match((await ann.follow(late)).text, 'Sign in once more')
  await ann.follow(ann.post('/login', { name: 'ann' }))
  service.clock.advance(300_000)
  const code = (await answer(ann)).searchParams.get('code') ?? ''
  t.match(code, /./, 'who signed in for the question has time to read it')
  const { body } = await redeemCode(service, code, request)
  t.equal(decodeJwt(body.id_token).auth_time, Math.floor((service.clock() - 300_000) / 1000))
  const again = await ann.follow(ann.get(codeRequest({ max_age: '299' }).path))
  t.match(again.text, 'Sign in once more')
})

t.test('303 a sign-in that nothing proves to be new is not what prompt=login asks for', async (t) => {
  const acme = await startIdentityProvider(t, { publicUrl: ISSUER })
  const hub = await startPlainProvider(t, { publicUrl: ISSUER })
  const telling = await startIdentityProvider(t, { publicUrl: ISSUER, id: 'telling' })
  const entries = [acme.entry(), hub.entry(), telling.entry({ authorization_parameters: { max_age: '86400' } })]
  const PROVIDERS_FILE = providersFile(t, entries)
  const service = await startOAuthApp(t, { PROVIDERS_FILE, OAUTH_CLIENTS_FILE: clientsFile(t, []) })
  const { clock, app } = service
  const ann = createVisitor(service)
  await ann.signInAt('acme', 'ann')
  for (const parameters of [{ prompt: 'login' }, { max_age: '0' }]) {
    clock.advance(60_000)
    const request = codeRequest(parameters)
    const { location = '' } = await ann.get(request.path)
    t.match((await ann.follow(ann.get(location))).text, 'Sign in once more')
    // Whoever signs out and in again may have been let through by the provider.
    await ann.get('/logout')
    await ann.post('/logout')
    await ann.signInAt('acme', 'ann')
    const login = await ann.follow(ann.get(location))
    t.match(login.text, 'Sign in once more', JSON.stringify(parameters))
    const [, link = ''] = /href="(\/login\/acme[^"]*)"/.exec(login.body) ?? []
    const atProvider = new URL((await ann.get(link)).location ?? '').searchParams
    t.match(Object.fromEntries(atProvider), { prompt: 'login', max_age: '0' })
    const begunAt = Math.floor(Date.now() / 1000)
    t.equal((await ann.follow(ann.get(await ann.visitProvider(link, 'ann')))).url, location)
    const { body } = await redeemCode(service, (await answer(ann)).searchParams.get('code') ?? '', request)
    const authTime = Number(decodeJwt(body.id_token).auth_time)
    // The provider's clock is the real one, and that of grantd has been moved on.
    t.ok(authTime >= begunAt && authTime <= Math.floor(Date.now() / 1000), 'the time that the provider tells')
  }

  clock.advance(1_000)
  const request = codeRequest({ prompt: 'login' })
  const login = await ann.follow(ann.get(request.path))
  const [, link = ''] = /href="(\/login\/hub[^"]*)"/.exec(login.body) ?? []
  const refused = await ann.get(await ann.visitProvider(link, 'ann'))
  t.equal(refused.status, 400)
  t.match(refused.text, 'did not confirm that you signed in again')
  const [, href = ''] = /<a href="(http:[^"]*)"/.exec(refused.body) ?? []
  const back = new URL(href.replaceAll('&amp;', '&')).searchParams
  t.match(
    Object.fromEntries(back),
    { error: 'login_required', state: 'a state', iss: ISSUER },
    'the program may hear of it'
  )

  clock.advance(2 * 3_600_000)
  const outcome = await signInAt(app, 'telling', 'eve')
  if (outcome.kind !== 'signed_in') throw new Error(outcome.reason)
  const eve = createVisitor(service)
  eve.cookies.set(SESSION_COOKIE, outcome.token)
  t.equal((await eve.get('/account/clients')).status, 200)
  t.match(
    (await eve.follow(eve.get('/device/confirm'))).text,
    'Sign in once more',
    'an old sign-in at the provider is one'
  )
  t.match((await eve.follow(eve.get(codeRequest().path))).text, 'Sign in once more')
})

t.test('303 a first sign-in is good enough for max_age, at a provider that proves nothing as well', async (t) => {
  const hub = await startPlainProvider(t, { publicUrl: ISSUER })
  const PROVIDERS_FILE = providersFile(t, [hub.entry()])
  const service = await startOAuthApp(t, { PROVIDERS_FILE, OAUTH_CLIENTS_FILE: clientsFile(t, []) })
  const ann = createVisitor(service)
  const login = await ann.follow(ann.get(codeRequest({ max_age: '86400' }).path))
  const [, link = ''] = /href="(\/login\/hub[^"]*)"/.exec(login.body) ?? []
  const page = await ann.follow(ann.get(await ann.visitProvider(link, 'ann')))
  t.equal(page.status, 200)
  t.match(page.text, 'A program asks for access')
})

t.test(
  '303 whoever has just proved who they are is not asked again, though their provider dates it back',
  async (t) => {
    const acme = await startIdentityProvider(t, { publicUrl: ISSUER })
    const PROVIDERS_FILE = providersFile(t, [acme.entry({ authorization_parameters: { max_age: '86400' } })])
    const variables = { PROVIDERS_FILE, OAUTH_CLIENTS_FILE: clientsFile(t, []), CONSENT_MAX_AUTH_AGE_SECONDS: '60' }
    const service = await startOAuthApp(t, variables)
    // What the provider tells of now is a hundred seconds ago here.
    service.clock.advance(100_000)
    const ann = createVisitor(service)
    let page = await ann.follow(ann.get(codeRequest().path))
    for (let signIns = 0; signIns < 2; signIns++) {
      const [, link = ''] = /href="(\/login\/acme[^"]*)"/.exec(page.body) ?? []
      page = await ann.follow(ann.get(await ann.visitProvider(link, 'ann')))
    }
    t.match(page.text, 'A program asks for access')
  }
)

t.test('303 an instance of the version before leads a sign-in for a program to a page that it has', async (t) => {
  const acme = await startIdentityProvider(t, { publicUrl: ISSUER })
  const PROVIDERS_FILE = providersFile(t, [acme.entry()])
  const service = await startOAuthApp(t, { PROVIDERS_FILE, OAUTH_CLIENTS_FILE: clientsFile(t, []) })
  const ann = createVisitor(service)
  const login = await ann.follow(ann.get(codeRequest().path))
  const [, link = ''] = /href="(\/login\/acme[^"]*)"/.exec(login.body) ?? []
  await ann.get(link)
  const kept = service.app.core.keyring.open(`cookie ${VISITOR_COOKIE}`, '', ann.cookies.get(VISITOR_COOKIE) ?? '')
  const { destination, begun } = JSON.parse(kept).value
  const known = ['device', 'consent', 'clients', 'connections']
  t.ok(known.includes(destination) && known.includes(begun[0].destination), `${destination}, ${begun[0].destination}`)
  await ann.follow(ann.get('/account/clients'))
  const elsewhere = await ann.visitProvider('/login/acme', 'ann')
  t.equal((await ann.get(elsewhere)).location, '/account/clients', 'nor does who goes elsewhere come back to it')
})

t.test('303 a sign-in in between keeps what is asked, in each tab', async (t) => {
  const { service } = await setUp(t)
  const bob = createVisitor(service)
  const [one, other] = [
    codeRequest({ state: 'one' }),
    codeRequest({ state: 'other', redirect_uri: 'http://localhost:9/x' })
  ]
  const first = await bob.get(one.path)
  const second = await bob.get(other.path)
  t.not(first.location, second.location)
  await bob.follow(first)
  await bob.follow(second)
  // The first tab is the one that signs in.
  await bob.follow(bob.get(first.location ?? ''))
  const question = await bob.follow(bob.post('/login', { name: 'bob' }))
  t.match(question.text, '127.0.0.1:52525')
  t.equal((await answer(bob)).searchParams.get('state'), 'one')
  await bob.follow(bob.get(second.location ?? ''))
  t.match(bob.shown.text, 'localhost:9')
  t.equal((await answer(bob)).searchParams.get('state'), 'other')
  t.equal((await bob.get(first.location ?? '')).status, 400, 'what is answered is gone')
})

t.test('303 tabs that open, and are answered, at the same time do not meet', async (t) => {
  const { service, ann } = await setUp(t)
  const requests = ['one', 'two', 'three'].map((state) => codeRequest({ state }))
  const asked = await Promise.all(requests.map(({ path }) => ann.get(path)))
  const forms: [string, Record<string, string>][] = []
  for (const { location = '' } of asked) {
    t.equal((await ann.follow(ann.get(location))).status, 200, 'each has its question')
    forms.push([location, { csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }])
  }
  const [denied, ...approvals] = forms as [(typeof forms)[0], ...typeof forms]
  const answers = await Promise.all([
    ann.post(denied[0], { action: 'deny', ...denied[1] }),
    ...approvals.map(([path, fields]) => ann.post(path, { action: 'approve', sure: 'yes', ...fields }))
  ])
  t.strictSame(
    answers.map((page) => onwardOf(page).searchParams.get('state')),
    ['one', 'two', 'three']
  )
  for (const [path] of forms) t.equal((await ann.get(path)).status, 400, 'what is answered stays so')
  t.strictSame(
    ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE)),
    []
  )

  const larger = (i: number) => codeRequest({ state: 's'.repeat(600 * (i % 4)), nonce: `${i}` })
  for (let i = 0; i < 40; i++) {
    const { location = '' } = await ann.get(larger(i).path)
    t.equal((await ann.get(location)).status, 200, 'the latest is always there')
    const kept = ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE))
    t.ok(kept.length >= 1 && kept.length <= 6, `${kept.length} of them`)
    t.ok(ann.cookies.header().length < 5_000, `${ann.cookies.header().length} bytes`)
  }
  for (let i = 0; i < 6; i++) {
    service.clock.advance(1_000)
    await ann.get(codeRequest().path)
  }
  t.equal(ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE)).length, 6, 'six of a usual size')
})

t.test('303 by POST, the same', async (t) => {
  const { service, ann } = await setUp(t)
  const byPost = (parameters: Sent, more = '') =>
    createVisitor(service).post('/oauth/authorize', {}, { payload: queryOf(codeRequest(parameters).sent) + more })
  const silent = await byPost({ prompt: 'none' }, `&unknown=${'x'.repeat(9_000)}`)
  t.match(
    silent.location,
    /^\/oauth\/authorize\?/,
    'a form of another site comes without cookies, and says nothing of them'
  )
  t.notMatch(silent.location, 'unknown')
  t.match(backOf(t, await ann.get(silent.location ?? '')), { error: 'consent_required' })
  t.match(backOf(t, await byPost({ nonce: 'x'.repeat(9_000) })), { error: 'invalid_request', state: 'a state' })
  const beyond = await byPost({ state: 'x'.repeat(9_000) })
  t.strictSame([beyond.status, beyond.location], [400, undefined], 'nobody can be sent on with so much')
  const { sent } = codeRequest({ ui_locales: 'xx de-CH en' })
  const page = await ann.post(
    '/oauth/authorize',
    {},
    { payload: queryOf(sent), headers: { 'sec-fetch-site': 'cross-site' } }
  )
  t.match(page.location, /^\/oauth\/authorize\?/)
  t.match((await ann.follow(page)).text, 'Ein Programm bittet um Zugriff')
})

t.test('303 HEAD asks nothing', async (t) => {
  const { ann } = await setUp(t)
  const { status, setCookies } = await ann.get(codeRequest().path, { method: 'HEAD' })
  t.strictSame([status, setCookies], [303, []])
})

t.test('400 an answer that belongs to no question of this browser', async (t) => {
  const { service, ann } = await setUp(t)
  const bob = await signedIn(service, 'bob')
  const { location = '' } = await ann.get(codeRequest().path)
  const question = await ann.follow(ann.get(location))
  t.match((await bob.get(location)).text, 'This browser was not asked that')
  t.equal((await bob.post(location, { action: 'approve', sure: 'yes', ticket: 'x' })).status, 400)
  t.equal((await ann.post(location, { action: 'approve', sure: 'yes', ticket: 'x' })).status, 403)
  t.equal((await ann.post(location, { action: 'approve', sure: 'yes', csrf: 'x' })).status, 403)
  await ann.follow(ann.get(location))
  const unsure = await ann.post(location, { action: 'approve' })
  t.equal(unsure.status, 400)
  t.match(unsure.text, 'tick the box')
  t.match(question.headers, { 'content-security-policy': /form-action 'self'/, 'referrer-policy': 'no-referrer' })
  service.clock.advance(900_000)
  t.equal((await ann.get(location)).status, 400, 'nor one that took a quarter of an hour')
})

t.test('200 the same code again for an answer that was lost on its way', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const { location = '' } = await ann.get(request.path)
  await ann.follow(ann.get(location))
  const [name = ''] = ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE))
  const before = ann.cookies.get(name) ?? ''
  const form = { action: 'approve', sure: 'yes', csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
  const first = onwardOf(await ann.post(location, form))
  ann.cookies.set(name, before)
  service.clock.advance(59_999)
  t.strictSame(onwardOf(await ann.post(location, form)), first)
  t.equal((await redeemCode(service, first.searchParams.get('code') ?? '', request)).status, 200)
  t.equal(
    (await ann.get('/account/clients')).body.match(/action="\/account\/clients\/[^"]*\/revoke"/g)?.length,
    1,
    'one authorization'
  )
  ann.cookies.set(name, before)
  t.equal((await ann.post(location, form)).status, 400, 'and not once the program has had it')
})

t.test(
  '400 an approval whose answer was lost, a minute later: the program hears that it has to begin anew',
  async (t) => {
    const { service, ann } = await setUp(t)
    // A grant is forgotten five minutes after its code is over, and its key is there for another one.
    for (const laterMs of [60_000, 400_000]) {
      const request = codeRequest()
      const { location = '' } = await ann.get(request.path)
      await ann.follow(ann.get(location))
      const [name = ''] = ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE))
      const before = ann.cookies.get(name) ?? ''
      const form = { action: 'approve', sure: 'yes', csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
      const code = onwardOf(await ann.post(location, form)).searchParams.get('code') ?? ''
      ann.cookies.set(name, before)
      service.clock.advance(laterMs)
      const lost = await ann.post(location, form)
      t.equal(lost.status, 400)
      t.match(lost.text, 'Start again in the program')
      t.notMatch(lost.body, code)
      const [, href = ''] = /<a href="(http:[^"]*)"/.exec(lost.body) ?? []
      const back = new URL(href.replaceAll('&amp;', '&'))
      t.equal(back.origin + back.pathname, LOOPBACK)
      t.match(Object.fromEntries(back.searchParams), { error: 'server_error', state: 'a state', iss: ISSUER })
      t.equal(ann.cookies.get(name), undefined, 'it is over')
    }
  }
)

t.test('400 where nobody signs in on pages', async (t) => {
  const { app } = await startApp(t, { PUBLIC_URL: 'https://grants.example' })
  for (const method of ['GET', 'POST'] as const) {
    const { statusCode, body } = await app.inject({ method, url: codeRequest().path })
    t.equal(statusCode, 400)
    t.match(JSON.parse(body), { error: 'unsupported_response_type' })
  }
  const { statusCode, headers } = await app.inject({ method: 'DELETE', url: '/oauth/authorize' })
  t.strictSame([statusCode, headers.allow], [405, 'GET, POST, HEAD'])
})

t.test('200 a device code that was asked for with a challenge is good with its verifier alone', async (t) => {
  const service = await startOAuthApp(t)
  const { verifier } = codeRequest()
  const challenge = { code_challenge: challengeOf(verifier), code_challenge_method: 'S256' }
  for (const wrong of [
    { ...challenge, code_challenge_method: 'plain' },
    { code_challenge: challenge.code_challenge },
    { ...challenge, code_challenge: 'x' }
  ]) {
    oauthRefused(t, await service.post('/oauth/device_authorization', { ...CLI, ...wrong }), 400, 'invalid_request')
  }
  const { body } = await service.post('/oauth/device_authorization', { ...CLI, ...challenge })
  const redeem = (code_verifier?: string) =>
    service.post('/oauth/token', {
      ...{ ...CLI, grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: body.device_code },
      code_verifier
    })
  oauthRefused(t, await redeem(), 400, 'authorization_pending')
  await service.approve(body.user_code)
  for (const wrong of [undefined, '', codeRequest().verifier]) spent(t, await redeem(wrong), `${wrong}`)
  t.match((await service.poll(body.device_code)).body, { status: 'expired' }, 'nor is it for the dashboard API')
  t.equal((await redeem(verifier)).status, 200)
})

t.test('303 a sign-in at a provider in between, in two tabs at once', async (t) => {
  const acme = await startIdentityProvider(t, { publicUrl: ISSUER })
  const PROVIDERS_FILE = providersFile(t, [acme.entry()])
  const service = await startOAuthApp(t, { PROVIDERS_FILE, OAUTH_CLIENTS_FILE: clientsFile(t, []) })
  const ann = createVisitor(service)
  const callbacks: string[] = []
  const paths: string[] = []
  for (const state of ['one', 'other']) {
    const { location = '' } = await ann.get(codeRequest({ state }).path)
    paths.push(location)
    const { url } = await ann.follow(ann.get(location))
    t.equal(url, `/login?ask=${location.split('/').at(-1)}`)
    const [, link = ''] = /href="(\/login\/acme[^"]*)"/.exec(ann.shown.body) ?? []
    callbacks.push(await ann.visitProvider(link, 'ann'))
  }
  // The tab that was sent off last comes back first, and each comes back to its own question.
  for (const i of [1, 0]) {
    const question = await ann.follow(ann.get(callbacks[i] ?? ''))
    t.equal(question.url, paths[i])
    t.equal((await answer(ann)).searchParams.get('state'), ['one', 'other'][i])
  }
})

t.test('200 below a path, with cookies and links that say so', async (t) => {
  const service = await startOAuthApp(t, {
    PUBLIC_URL: 'http://localhost:3333/base',
    OAUTH_CLIENTS_FILE: clientsFile(t, [])
  })
  const ann = createVisitor(service)
  const { location = '' } = await ann.get(codeRequest().path)
  t.match(location, /^\/base\/authorize\/[\w-]{22}$/)
  const login = await ann.follow(ann.get(location.slice('/base'.length)))
  t.match(login.url, /^\/base\/login\?ask=/)
  const question = await ann.follow(ann.post('/login', { name: 'ann' }))
  t.equal(question.url, location)
  const url = onwardOf(await ann.post(location.slice('/base'.length), { action: 'approve', sure: 'yes' }))
  t.equal(url.searchParams.get('iss'), 'http://localhost:3333/base')
})

t.test('200 what the page showed is what the tokens carry', async (t) => {
  const { service, ann } = await setUp(t)
  const of = { client_id: 'films', redirect_uri: WEB, resource: FILMS, scope: 'films.read openid' }
  const request = codeRequest(of)
  const question = await ann.follow(ann.get(request.path))
  t.match(question.text, /app\.example/)
  t.match(question.text, /act for you at Films, .* films\.example/)
  const code = (await answer(ann)).searchParams.get('code') ?? ''
  const films = { client_id: 'films' }
  const other = await redeemCode(service, code, request, { resource: 'https://other.example' }, films)
  t.equal(other.body.error, 'invalid_target')
  const { status, body } = await redeemCode(service, code, request, { scope: 'films.write' }, films)
  t.equal(status, 200, 'which has used nothing up')
  t.match(decodeJwt(body.access_token), { aud: FILMS, scope: 'films.read' })
  t.match(decodeJwt(body.id_token), { aud: 'films' })
})

t.test('403 and 409 for whoever may approve nothing, or nothing more', async (t) => {
  const { service, ann } = await setUp(t)
  const { core } = service.app
  const first = codeRequest()
  const ask = async (visitor: Visitor, { path } = codeRequest()) => {
    const { location = '' } = await visitor.get(path)
    await visitor.get(location)
    return location
  }
  const location = await ask(ann, first)
  for (let i = 0; i < MOST_ACTIVE; i++) {
    const approval = { userId: 'ann', authorizationId: `${i}`, ip: '::1' }
    const fields = toFields({
      ...authorizationOf(
        undefined,
        { clientId: 'cli', clientType: 'cli', scopes: [], metadata: {} },
        approval,
        0,
        awaiting(0)
      ),
      ...{ expiresAtMs: service.clock() + 1e9, awaitsCollection: false }
    })
    await service.app.storage.authorizations.create('ann', `${i}`, fields, service.clock() + 1e9 + KEEP_LISTED_MS)
  }
  const full = await ann.post(location, { action: 'approve', sure: 'yes' })
  t.equal(full.status, 409)
  t.match(full.text, `${MOST_ACTIVE} programs are authorized`)
  await core.authorizations.revokeAll('ann', 'owner', BY)
  service.clock.advance(120_000)
  const late = (await answer(ann)).searchParams.get('code') ?? ''
  t.match(late, /^[\w-]{43}$/, 'the question is there still')
  service.clock.advance(59_999)
  t.equal((await redeemCode(service, late, first)).status, 200, 'and the code lives from its approval on')

  const bob = await signedIn(service, 'bob')
  const asked = await ask(bob)
  const form = { action: 'approve', sure: 'yes' }
  const request = codeRequest()
  const code = await approved(bob, request)
  await core.users.block('bob', BY)
  t.equal((await bob.post(asked, form)).location?.startsWith('/login'), true, 'who is blocked has no session')
  spent(t, await redeemCode(service, code, request), 'and their codes bring nothing')
})

t.test('200 what a program says of itself is shown as its own word, and becomes label and version', async (t) => {
  const { service, ann } = await setUp(t)
  const [mac, linux] = [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
  ]
  const token = await service.session('ann')
  const row = async () => (await service.call('GET', '/auth/clients', { token })).body.data[0]
  /** A login in a browser on this system, by a program that redeems its code with this User-Agent. */
  const login = async (browser: string, program: string | undefined, parameters: Sent = {}, between?: string) => {
    service.clock.advance(1_000)
    const request = codeRequest(parameters)
    const headers = { 'user-agent': browser }
    await ann.follow(ann.get(request.path, { headers }))
    const { url: path, text } = ann.shown
    const url = onwardOf(await ann.post(path, { action: 'approve', sure: 'yes' }, { headers }))
    const { id, label: before } = await row()
    if (between !== undefined) await service.call('PATCH', `/auth/clients/${id}`, { token, body: { label: between } })
    const client = { client_id: String(request.sent.client_id) }
    const { status } = await service.post(
      '/oauth/token',
      {
        ...{ ...client, grant_type: 'authorization_code', code: url.searchParams.get('code') ?? '' },
        ...{ code_verifier: request.verifier }
      },
      program === undefined ? {} : { 'user-agent': program }
    )
    t.equal(status, 200)
    const { label, client_version } = await row()
    return { before, label, client_version, text }
  }

  const named = { device_name: 'Ann’s laptop', client_version: '1.4.0' }
  const said = await login(mac, 'gh/2.40.1', named)
  t.match(said, { before: 'Ann’s laptop', label: 'Ann’s laptop', client_version: '1.4.0' })
  t.match(said.text, 'Version 1.4.0 not checked by anybody Device Ann’s laptop not checked by anybody')
  const [longest, long] = ['😀'.repeat(255), 'x'.repeat(64)]
  t.match(await login(mac, 'gh/2.40.1', { device_name: longest, client_version: long }), {
    label: longest,
    client_version: long
  })
  const nothing = await login(mac, undefined, { device_name: '', client_version: '' })
  t.match(nothing, { before: 'macOS', label: 'macOS', client_version: null }, 'what is empty is not there')

  const gh = 'GitHub CLI 2.40.1'
  t.match(await login(mac, gh), { before: 'macOS', label: 'GitHub CLI 2.40.1 (macOS)' })
  t.match(await login(linux, gh), { before: 'Linux', label: 'GitHub CLI 2.40.1 (Linux)' }, 'the other is told apart')
  t.match(await login(linux, 'gh/2.40.1 (linux; wsl)'), { label: 'gh 2.40.1 (Linux)' })
  t.match(await login(linux, 'node'), { label: 'Linux' }, 'a library names no program')
  t.match(await login(mac, linux), { label: 'macOS' }, 'nor does a browser')
  t.match(await login('curl/8', undefined), { before: null, label: null })
  t.match(await login('curl/8', gh), { before: null, label: gh })
  t.match(await login(mac, gh, {}, 'mine'), { before: 'macOS', label: 'mine' }, 'what its user calls it stays')
  const web = { client_id: 'web', redirect_uri: WEB, scope: 'openid' }
  t.match(await login(mac, 'gh/2.40.1', web), { before: null, label: null }, 'a server is not on their device')
  t.match(await login(mac, 'gh/2.40.1', { ...web, redirect_uri: NATIVE }), { label: 'gh 2.40.1 (macOS)' })
})

t.test('400 and 303 a client may ask a device for less than a browser, or for nothing', async (t) => {
  const redirect_uris = [LOOPBACK]
  const resources = [{ identifier: FILMS, name: 'Films', scope: 'films.read films.write' }]
  const entry = { scope: 'openid admin', redirect_uris, resources: [FILMS] }
  const clients = [
    { client_id: 'both', ...entry, device_scope: 'openid films.read' },
    { client_id: 'none', ...entry, device_scope: '' },
    { client_id: 'never', ...entry, grant_types: ['authorization_code'] }
  ]
  const service = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: clientsFile(t, clients, resources) })
  const ann = await signedIn(service)
  const all = 'openid admin films.read films.write'
  const cases: [client_id: string, good: string[], bad: string[]][] = [
    ['both', ['', 'openid', 'openid films.read'], ['admin', 'openid films.write', all]],
    ['none', [''], ['openid', 'films.read']],
    ['never', [], ['', 'openid']]
  ]
  for (const [client_id, good, bad] of cases) {
    const start = (scope: string) => service.post('/oauth/device_authorization', { client_id, scope, resource: FILMS })
    const error = client_id === 'never' ? 'unauthorized_client' : 'invalid_scope'
    for (const scope of bad) oauthRefused(t, await start(scope), 400, error)
    for (const scope of good) t.equal((await start(scope)).status, 200, `${client_id}: ${scope}`)
    const request = codeRequest({ client_id, resource: FILMS, scope: all })
    const { status, body } = await redeemCode(service, await approved(ann, request), request, {}, { client_id })
    t.strictSame([status, body.scope], [200, 'films.read films.write'], `${client_id} by a code`)
  }
  const { device_code, user_code } = (
    await service.post('/oauth/device_authorization', { client_id: 'both', scope: 'openid' })
  ).body
  await service.approve(user_code)
  t.equal((await service.redeem(device_code, { client_id: 'both' })).body.scope, 'openid')
  oauthRefused(t, await service.redeem(device_code, { client_id: 'never' }), 400, 'unauthorized_client')
})

t.test('200 scopes that may be left out have a box, and tokens have what is ticked', async (t) => {
  const films = { identifier: FILMS, name: 'Films', scope: 'films.read films.write' }
  const player = {
    ...{ client_id: 'player', scope: 'openid offline_access', resources: [FILMS], redirect_uris: [LOOPBACK] },
    optional_scope: 'offline_access films.write openid'
  }
  const service = await startOAuthApp(t, { OAUTH_CLIENTS_FILE: clientsFile(t, [player], [films]) })
  const ann = await signedIn(service)
  const own = { client_id: 'player' }
  const all = 'openid offline_access films.read films.write'
  const boxes = ({ body }: Page) =>
    [...body.matchAll(/<input type="checkbox" name="scope" value="([^"]+)"( checked)?\/>/g)].map(
      ([, scope, checked]) => (checked ? scope : `no ${scope}`)
    )
  const ask = async (parameters: Sent) => {
    const request = codeRequest({ ...own, scope: all, resource: FILMS, ...parameters })
    return { request, page: await ann.follow(ann.get(request.path)) }
  }
  const cases: [ticked: string | string[] | undefined, forResource: string, forIssuer: string][] = [
    [['openid', 'offline_access', 'films.write'], 'films.read films.write', 'openid offline_access'],
    [['openid', 'offline_access'], 'films.read', 'openid offline_access'],
    [['films.write', 'admin', 'films.read profile', '__proto__'], 'films.read films.write', ''],
    [undefined, 'films.read', '']
  ]
  for (const [ticked, forResource, forIssuer] of cases) {
    for (const resource of [FILMS, undefined]) {
      const { request, page } = await ask(resource ? {} : { scope: player.scope, resource })
      t.strictSame(boxes(page), ['openid', 'offline_access', ...(resource ? ['films.write'] : [])])
      t.match(page.text, 'You may leave out')
      const url = onwardOf(await ann.post(page.url, { action: 'approve', sure: 'yes', scope: ticked }))
      const { status, body } = await redeemCode(service, url.searchParams.get('code') ?? '', request, {}, own)
      const expected = resource ? forResource : forIssuer
      t.strictSame([status, body.scope], [200, expected], `${ticked} for ${resource}`)
      t.equal(decodeJwt(body.access_token).scope, expected)
      t.equal('refresh_token' in body, [ticked].flat().includes('offline_access'), 'stays connected, or not')
      t.equal('id_token' in body, [ticked].flat().includes('openid'))
      if (!body.refresh_token) continue
      const refreshed = await service.refresh(body.refresh_token, own)
      t.equal(decodeJwt(refreshed.body.access_token).scope, expected, 'and so from then on')
      oauthRefused(
        t,
        await service.refresh(refreshed.body.refresh_token, own, 'films.write admin'),
        400,
        'invalid_scope'
      )
    }
  }
  const first = await ask({})
  const [name = ''] = ann.cookies.names().filter((name) => name.startsWith(ASK_COOKIE))
  const before = ann.cookies.get(name) ?? ''
  await ann.post(first.page.url, { action: 'approve', sure: 'yes', scope: ['openid', 'films.write'] })
  ann.cookies.set(name, before)
  await ann.get(first.page.url)
  const narrower = await ann.post(first.page.url, { action: 'approve', sure: 'yes', scope: 'openid' })
  t.equal(narrower.status, 400, 'what stands is wider than what is approved now')
  t.match(narrower.text, 'Start again in the program')
  const { request, page } = await ask({ scope: 'films.read openid' })
  t.strictSame(boxes(page), ['openid'], 'what is not asked for has none')
  const again = await ann.post(page.url, { action: 'approve', scope: 'films.write' })
  t.equal(again.status, 400)
  t.strictSame(boxes(again), ['no openid'], 'and the boxes stay as they were')
  const url = onwardOf(
    await ann.post(page.url, { action: 'approve', sure: 'yes', scope: ['films.write', 'offline_access'] })
  )
  const { body } = await redeemCode(service, url.searchParams.get('code') ?? '', request, {}, own)
  t.equal(body.scope, 'films.read', 'nothing is granted that was not asked for')
  t.notOk('refresh_token' in body || 'id_token' in body)
  for (const [language, { consent }] of Object.entries(texts)) {
    const { page } = await ask({ ui_locales: language })
    t.match(page.text, consent.optional, language)
  }
})

t.test('503 an approval that came to nothing may be followed by one that stands', async (t) => {
  const { service, ann } = await setUp(t)
  const { storage, core } = service.app
  const request = codeRequest()
  await ann.follow(ann.get(request.path))
  const { url: path } = ann.shown
  const form = { action: 'approve', sure: 'yes', csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
  const { decide } = storage.grants
  storage.grants.decide = async () => {
    throw fault('unavailable')
  }
  t.equal((await ann.post(path, form)).status, 503)
  storage.grants.decide = decide
  service.clock.advance(400_000)
  const code = onwardOf(await ann.post(path, form)).searchParams.get('code') ?? ''
  service.clock.advance(59_999)
  const [row, ...others] = await core.authorizations.list('ann')
  t.strictSame(
    [await core.authorizations.standingOf('ann', row?.id ?? ''), others],
    ['awaited', []],
    'one row, which waits'
  )
  t.equal((await redeemCode(service, code, request)).status, 200)
})

t.test('400 a code whose authorization was revoked before it was redeemed', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const code = await approved(ann, request)
  t.match((await ann.get('/account/clients')).text, 'not collected by the program yet')
  await service.app.core.authorizations.revokeAll('ann', 'owner', BY)
  spent(t, await redeemCode(service, code, request))
})

t.test('303 somebody else may be the one to answer', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const question = await ann.follow(ann.get(request.path))
  const [, path = ''] = /href="(\/logout\?ask=[^"]*)"/.exec(question.body) ?? []
  await ann.get(path)
  const login = await ann.follow(ann.post('/logout'))
  t.match(login.text, 'You are signed out')
  t.match(login.text, 'to see what a program asks for')
  const again = await ann.post('/login', { name: '' })
  t.equal(again.status, 400)
  t.equal((await ann.follow(ann.post('/login', { name: 'bob' }))).url, question.url)
  const { body } = await redeemCode(service, (await answer(ann)).searchParams.get('code') ?? '', request)
  t.equal(decodeJwt(body.id_token).sub, 'bob')
})
