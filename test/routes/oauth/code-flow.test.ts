/** GET and POST /oauth/authorize, the question that they lead to, and POST /oauth/token with a code. */
import { decodeJwt } from 'jose'
import t, { type Test } from 'tap'
import { authorizationOf, awaiting } from '../../../src/core/authorizations/approval.js'
import { KEEP_LISTED_MS, MOST_ACTIVE, toFields } from '../../../src/core/authorizations/authorization.js'
import { type Answer, startApp } from '../../support/app.js'
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
import { providersFile } from '../../support/sign-in.js'
import { createVisitor, type Page, signedIn, type Visitor } from '../../support/visitor.js'
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
    ...[
      'response_type',
      'scope',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'prompt',
      'max_age',
      'ui_locales',
      'login_hint'
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

t.test('303 by POST, the same', async (t) => {
  const { ann } = await setUp(t)
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
  const before = ann.cookies.get('__Host-grantd-asked') ?? ''
  const form = { action: 'approve', sure: 'yes', csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
  const first = onwardOf(await ann.post(location, form))
  ann.cookies.set('__Host-grantd-asked', before)
  t.strictSame(onwardOf(await ann.post(location, form)), first)
  t.equal((await redeemCode(service, first.searchParams.get('code') ?? '', request)).status, 200)
  t.equal(
    (await ann.get('/account/clients')).body.match(/action="\/account\/clients\/[^"]*\/revoke"/g)?.length,
    1,
    'one authorization'
  )
})

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
  const ask = async (visitor: Visitor) => {
    const { location = '' } = await visitor.get(codeRequest().path)
    await visitor.get(location)
    return location
  }
  const location = await ask(ann)
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
  await core.authorizations.revokeAll('ann')
  t.ok((await answer(ann)).searchParams.has('code'), 'the question is there still')

  const bob = await signedIn(service, 'bob')
  const asked = await ask(bob)
  const form = { action: 'approve', sure: 'yes' }
  const request = codeRequest()
  const code = await approved(bob, request)
  await core.users.block('bob')
  t.equal((await bob.post(asked, form)).location?.startsWith('/login'), true, 'who is blocked has no session')
  spent(t, await redeemCode(service, code, request), 'and their codes bring nothing')
})

t.test('400 a code whose authorization was revoked before it was redeemed', async (t) => {
  const { service, ann } = await setUp(t)
  const request = codeRequest()
  const code = await approved(ann, request)
  t.match((await ann.get('/account/clients')).text, 'not collected by the program yet')
  await service.app.core.authorizations.revokeAll('ann')
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
