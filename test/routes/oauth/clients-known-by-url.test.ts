/** Clients whose id is the URL of a document about them (draft-ietf-oauth-client-id-metadata-document). */
import type { lookup } from 'node:dns'
import type { RequestListener, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import t, { type Test } from 'tap'
import { tagOf, URL_TAG } from '../../../src/core/clients/client.js'
import { readClientDocument } from '../../../src/core/clients/client-document.js'
import { createClientDocuments } from '../../../src/core/clients/client-documents.js'
import { isRedirectUri } from '../../../src/core/clients/redirect-uri.js'
import { readClientUrl } from '../../../src/core/clients/url-clients.js'
import { isFault } from '../../../src/core/fault.js'
import {
  createGuardedFetch,
  ForbiddenUrlError,
  type GuardedAnswer,
  NoDocumentError
} from '../../../src/core/trust/guarded-fetch.js'
import { en } from '../../../src/routes/pages/texts/en.js'
import { LANGUAGES, texts } from '../../../src/routes/pages/texts/languages.js'
import { testClock } from '../../support/app.js'
import { answer, codeRequest, queryOf, redeemCode, type Sent } from '../../support/code-flow.js'
import { startDnsServer } from '../../support/dns-server.js'
import { clientsFile, DEVICE_CODE, startOAuthApp } from '../../support/oauth-app.js'
import { answerWith, authorityFile, listen } from '../../support/trusted-issuer.js'
import { createVisitor, type Page, signedIn } from '../../support/visitor.js'

const GRANT_TYPES = ['authorization_code', 'refresh_token', DEVICE_CODE]
const REDIRECT_URIS = ['http://127.0.0.1/callback', 'https://app.example.com/callback']
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const admitted = async () => {}

const documentOf = (url: string, more: object = {}) => ({
  client_id: url,
  client_name: 'Tool',
  redirect_uris: REDIRECT_URIS,
  grant_types: GRANT_TYPES,
  token_endpoint_auth_method: 'none',
  ...more
})

/** Serves a good document at every path, unless another answer is set for it. */
async function startHost(t: Test) {
  const answers = new Map<string, RequestListener>()
  const host = await listen(t, (request, response) => {
    const path = request.url ?? ''
    const usual = answerWith(JSON.stringify(documentOf(host.origin + path)))
    ;(answers.get(path) ?? usual)(request, response)
  })
  return Object.assign(host, {
    at: (path: string, answer: RequestListener | object) => {
      const given = typeof answer === 'function' ? (answer as RequestListener) : answerWith(JSON.stringify(answer))
      answers.set(path, given)
    },
    asUsual: (path: string) => void answers.delete(path)
  })
}

/** Sends more than anybody takes, until nobody does. */
function endless(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const timer = setInterval(() => response.write(' '.repeat(1_024)), 1)
  response.on('close', () => clearInterval(timer))
}

async function startService(t: Test, variables: Record<string, string> = {}) {
  const onLoopback = { FOREIGN_ISSUERS_ON_LOOPBACK: 'on', FOREIGN_ISSUER_CA_FILE: authorityFile(t) }
  const service = await startOAuthApp(t, { ...onLoopback, CLIENT_ID_METADATA: 'on', ...variables })
  const begin = (client_id: string, more: Record<string, string> = {}, headers: Record<string, string> = {}) =>
    service.post('/oauth/device_authorization', { client_id, ...more }, headers)
  return { ...service, begin }
}

// Each has its own host and service. The first mostly waits, so they run two at a time.
t.jobs = 2

t.test('503 for a document that does not end in five seconds, while the others go on', async (t) => {
  const host = await startHost(t)
  const { begin } = await startService(t)
  const known = `${host.origin}/known.json`
  t.equal((await begin(known)).status, 200)
  const given: [path: string, answer: RequestListener][] = [
    ['/never.json', () => {}],
    [
      '/bytes.json',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const text = JSON.stringify(documentOf(`${host.origin}/bytes.json`))
        let sent = 0
        const timer = setInterval(() => response.write(text.charAt(sent++)), 50)
        response.on('close', () => clearInterval(timer))
      }
    ],
    ['/headers.json', (_request, response) => void response.socket?.write('HTTP/1.1 200 OK\r\nx-slow: ')]
  ]
  // The service ends each of them, not its host: otherwise this waits for ever.
  const ended = given.map(
    ([path, answer]) =>
      new Promise((resolve) =>
        host.at(path, (request, response) => {
          request.socket.on('close', resolve)
          answer(request, response)
        })
      )
  )
  const slow = Promise.all(given.map(([path]) => begin(host.origin + path)))
  t.equal((await begin(known)).status, 200)
  t.equal((await begin(`${host.origin}/new.json`)).status, 200, 'and the fourth place at this host is free')
  for (const refused of await slow) {
    t.match(refused, { status: 503, body: { error: 'temporarily_unavailable' } })
    t.match(refused.headers, { 'retry-after': /^\d+$/ })
  }
  await Promise.all(ended)
})

t.test('a device grant', async (t) => {
  const host = await startHost(t)
  const service = await startService(t)
  const { begin, redeem, refresh, introspect, revoke, approve, call, session, clock } = service
  const client_id = `${host.origin}/tool.json`
  const hostName = new URL(client_id).host

  t.test('200 from the start to the end, and its document is fetched once', async (t) => {
    const started = await begin(client_id, { scope: 'openid offline_access' })
    t.equal(started.status, 200)
    const { device_code, user_code } = started.body
    for (let poll = 0; poll < 3; poll++) {
      t.strictSame((await redeem(device_code, { client_id })).body, { error: 'authorization_pending' })
      clock.advance(6_000)
    }
    const peek = await call('GET', `/auth/grant/peek?user_code=${user_code}`, { token: await session('ann') })
    t.match(peek.body, { client_type: 'other', client_id, client_metadata: { name: 'Tool' } })
    t.notOk('client_name' in peek.body, 'nobody has registered a name')

    await approve(user_code)
    const { status, body } = await redeem(device_code, { client_id })
    t.equal(status, 200)
    t.match(body, { scope: 'openid offline_access', refresh_token: /^grt_/, id_token: /\./ })
    t.ok(body.expires_in > 3_590 && body.expires_in <= 3_600, 'an hour beside a refresh token')
    t.match((await introspect(body.access_token)).body, { active: true, client_id })
    const [row] = (await call('GET', '/auth/clients', { token: await session('ann') })).body.data
    t.match(row, { client_type: 'other', client_name: 'Tool', client_id, revoked_at: null })

    clock.advance(DAY_MS)
    const refreshed = await refresh(body.refresh_token, { client_id })
    t.equal(refreshed.status, 200)
    t.equal((await revoke(refreshed.body.access_token, { client_id })).status, 200)
    t.strictSame((await introspect(refreshed.body.access_token)).body, { active: false })
    t.equal(host.count('/tool.json'), 1, 'neither polls nor tokens nor the page need it again')
  })

  t.test('200 whoever holds its device code or token may end it without naming it', async (t) => {
    const { body } = await begin(client_id)
    t.equal((await service.post('/oauth/revoke', { token: body.device_code })).status, 200)
    t.strictSame((await redeem(body.device_code, { client_id })).body, { error: 'expired_token' })
    const tokens = await service.tokens({ client_id })
    t.equal((await service.post('/oauth/revoke', { token: tokens.refresh_token })).status, 200)
    t.strictSame((await introspect(tokens.access_token)).body, { active: false })
  })

  t.test('200 the page shows the host, and what the document says as a claim', async (t) => {
    host.at('/bank.json', documentOf(`${host.origin}/bank.json`, { client_name: 'Yоur Bank' }))
    const { consent, clients } = en
    const { user_code } = (await begin(`${host.origin}/bank.json`, { device_name: 'build-7' })).body
    const ann = await signedIn(service)
    const page = await ann.enter(user_code)
    t.match(page.body, `<bdi>${hostName}</bdi> <small>${consent.described}</small>`)
    t.match(page.body, `<q><bdi>Yоur Bank</bdi></q> <small>${consent.unchecked}</small>`)
    t.match(page.text, consent.warning.imitation, 'a letter of another alphabet')
    t.match(page.text, consent.approve(hostName), 'the button names the host')
    t.match(page.body, `<code>${host.origin}/bank.json</code>`)
    t.notMatch(page.body, `href="${host.origin}`, 'and no browser is led there')
    await ann.post('/device/confirm', { action: 'approve', same: 'yes' })
    const list = await ann.get('/account/clients')
    t.match(list.body, `<h3><bdi>${hostName} (build-7)</bdi>`)
    t.match(list.body, `<dt>${consent.claimedName}</dt><dd><q><bdi>Yоur Bank</bdi></q></dd>`)
    t.notMatch(list.body, clients.unnamed)
  })

  t.test(
    '400 for a document that does not name the grant type, and no refresh token for one that names none',
    async (t) => {
      const mcp = `${host.origin}/mcp.json`
      host.at('/mcp.json', documentOf(mcp, { grant_types: ['authorization_code', 'refresh_token'] }))
      t.match(await begin(mcp), { status: 400, body: { error: 'unauthorized_client' } })
      host.at('/silent.json', documentOf(`${host.origin}/silent.json`, { grant_types: undefined }))
      t.match(await begin(`${host.origin}/silent.json`), { status: 400, body: { error: 'unauthorized_client' } })
      host.at('/brief.json', documentOf(`${host.origin}/brief.json`, { grant_types: [DEVICE_CODE, 'password'] }))
      const brief = `${host.origin}/brief.json`
      const { device_code, user_code } = (await begin(brief, { scope: 'openid offline_access' })).body
      await approve(user_code)
      t.match((await redeem(device_code, { client_id: brief })).body, { scope: 'openid', refresh_token: undefined })
      t.match(await begin(client_id, { scope: 'reports.read' }), { status: 400, body: { error: 'invalid_scope' } })
    }
  )

  t.test('200 it may ask for the resources that are open to the built-in clients, and for no others', async (t) => {
    const [films, books] = ['https://films.example', 'https://books.example']
    const resources = [
      { identifier: films, name: 'Films', scope: 'films.read', built_in_clients: true },
      { identifier: books, name: 'Books', scope: 'books.read' }
    ]
    const { begin } = await startService(t, { OAUTH_CLIENTS_FILE: clientsFile(t, [], resources) })
    t.equal((await begin(client_id, { resource: films, scope: 'films.read' })).status, 200)
    t.match(await begin(client_id, { resource: books }), { status: 400, body: { error: 'invalid_target' } })
  })

  t.test('401 with a secret, which no such client has', async (t) => {
    t.match(await begin(client_id, { client_secret: 'guess' }), { status: 401, body: { error: 'invalid_client' } })
  })

  t.test(
    '401 for a document that cannot be used, and it says why; ten seconds later it is looked at again',
    async (t) => {
      const bad = `${host.origin}/bad.json`
      const cases: [RequestListener | object, RegExp][] = [
        [documentOf(client_id), /another client_id/],
        [documentOf(bad.toUpperCase()), /another client_id/],
        [documentOf(bad, { client_secret: 's3cret' }), /has a client_secret/],
        [documentOf(bad, { client_secret_expires_at: 0 }), /has a client_secret/],
        [documentOf(bad, { client_secret: null }), /has a client_secret/],
        ...['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'x', null].map(
          (token_endpoint_auth_method): [object, RegExp] => [
            documentOf(bad, { token_endpoint_auth_method, jwks: { keys: [] } }),
            /token_endpoint_auth_method/
          ]
        ),
        [documentOf(bad, { redirect_uris: ['javascript:alert(1)'] }), /redirect_uris/],
        [documentOf(bad, { redirect_uris: 'https://app.example.com/callback' }), /redirect_uris/],
        [documentOf(bad, { grant_types: 'authorization_code' }), /grant_types/],
        [documentOf(bad, { client_name: { en: 'Tool' } }), /client_name/],
        [documentOf(bad, { client_name: 'x'.repeat(256) }), /client_name/],
        [documentOf(bad, { client_name: '\ud800' }), /client_name/],
        [documentOf(bad, { more: 'x'.repeat(5 * 1024) }), /cannot be fetched/],
        [(_request, response) => void endless(response), /cannot be fetched/],
        [[documentOf(bad)], /not a JSON object/],
        [answerWith('{"client_id"'), /cannot be fetched/],
        [answerWith(JSON.stringify(documentOf(bad)), 200, { 'content-type': 'text/html' }), /application\/json/],
        ...[301, 302, 303, 307, 308].map((status): [RequestListener, RegExp] => [
          answerWith(JSON.stringify(documentOf(bad)), status, { location: client_id }),
          /cannot be fetched/
        ]),
        [answerWith(JSON.stringify(documentOf(bad)), 404), /cannot be fetched/],
        [answerWith(JSON.stringify(documentOf(bad)), 201), /temporarily|cannot be fetched/]
      ]
      let looked = 0
      for (const [answer, reason] of cases) {
        host.at('/bad.json', answer)
        const { status, body } = await begin(bad)
        const isUnknown = status === 503
        if (!isUnknown)
          t.match({ status, body }, { status: 401, body: { error: 'invalid_client', error_description: reason } })
        t.equal((await begin(bad)).status, status)
        looked += 1
        t.equal(host.count('/bad.json'), looked, 'a failure is kept for a while')
        clock.advance(10_000)
      }
      host.asUsual('/bad.json')
      t.equal((await begin(bad)).status, 200)
    }
  )

  t.test('503 while its host is in trouble, or away', async (t) => {
    const ill = `${host.origin}/ill.json`
    for (const status of [429, 500, 503]) {
      host.at('/ill.json', answerWith('', status))
      const refused = await begin(ill)
      t.match(refused, { status: 503, body: { error: 'temporarily_unavailable' } })
      t.match(refused.headers, { 'retry-after': /^\d+$/ })
      clock.advance(10_000)
    }
    host.asUsual('/ill.json')
    await host.down()
    t.equal((await begin(ill)).status, 503)
    await host.up()
    clock.advance(10_000)
    t.equal((await begin(ill)).status, 200)
  })

  t.test('401 for what is no URL of a client, without a connection', async (t) => {
    const before = host.connections()
    const { port } = host
    const ids = [
      `http://localhost:${port}/tool.json`,
      `https://localhost:${port}`,
      `https://localhost:${port}/`,
      `https://LOCALHOST:${port}/tool.json`,
      `https://localhost:${port}/a/../tool.json`,
      `https://localhost:${port}/%2e%2e/tool.json`,
      `https://localhost:${port}/tool.json#one`,
      `https://localhost:${port}/tool.json#`,
      `https://ann@localhost:${port}/tool.json`,
      `https://ann:secret@localhost:${port}/tool.json`,
      `https://localhost:${port}/./tool.json`,
      `https://localhost:${port}/a/%2E./tool.json`,
      `https://localhost:${port}/a/..`,
      `https://localhost:${port}\\tool.json`,
      `https://localhost:${port}/to\tol.json`,
      `https://127.0.0.1:${port}/tool.json`,
      `https://127.1:${port}/tool.json`,
      `https://2130706433:${port}/tool.json`,
      `https://10.0.0.1/tool.json`,
      `https://[::1]:${port}/tool.json`,
      `https://[::ffff:7f00:1]:${port}/tool.json`,
      `https://[::ffff:127.0.0.1]:${port}/tool.json`,
      `https://[fd00::1]/tool.json`,
      `HTTPS://localhost:${port}/tool.json`,
      `https://localhost:${port}/${'x'.repeat(512)}`,
      `https://localhost:${port}/tool.json\n`,
      'https://localhost:443/tool.json',
      'https:tool.json',
      'https://'
    ]
    for (const id of ids) t.match(await begin(id), { status: 401, body: { error: 'invalid_client' } }, id)
    t.equal(host.connections(), before)
  })
})

t.test('the code flow', async (t) => {
  const host = await startHost(t)
  const service = await startService(t)
  const { clock } = service
  const { asking, consent } = en
  const hostName = `localhost:${host.port}`
  const requestOf = (path: string, redirect_uri = 'http://127.0.0.1:4242/callback') =>
    codeRequest({ client_id: host.origin + path, redirect_uri })

  t.test(
    '200 the question shows the host, the tokens are the client’s, and its document is fetched once',
    async (t) => {
      const request = requestOf('/tool.json')
      const client = { client_id: `${host.origin}/tool.json` }
      const ann = await signedIn(service)
      const page = await ann.follow(ann.get(request.path))
      t.match(page.body, `<bdi>${hostName}</bdi> <small>${consent.described}</small>`)
      t.match(page.body, `<q><bdi>Tool</bdi></q> <small>${consent.unchecked}</small>`)
      t.match(page.text, consent.approve(hostName))
      const code = (await answer(ann)).searchParams.get('code') ?? ''
      const { status, body } = await redeemCode(service, code, request, {}, client)
      t.equal(status, 200)
      t.equal(body.scope, 'openid offline_access')
      t.equal((await service.refresh(body.refresh_token, client)).status, 200)
      const [row] = (await service.call('GET', '/auth/clients', { token: await service.session('ann') })).body.data
      t.match(row, { client_name: 'Tool', ...client })
      t.equal(host.count('/tool.json'), 1)
    }
  )

  t.test('400 on a page where the document or the redirect URI is none', async (t) => {
    const ann = await signedIn(service)
    host.at('/gone.json', answerWith('', 404))
    for (const [request, sentence] of [
      [requestOf('/gone.json'), asking.unknownClient],
      [requestOf('/tool.json', 'https://evil.example/callback'), asking.unknownRedirect],
      [requestOf('/tool.json', 'http://127.0.0.1/other'), asking.unknownRedirect]
    ] as const) {
      const page = await ann.get(request.path)
      t.equal(page.status, 400)
      t.equal(page.location, undefined)
      t.match(page.text, sentence)
    }
  })

  const APP = 'https://app.example.com/callback'
  const SCHEME = 'com.example.app:/callback'
  host.at('/app.json', documentOf(`${host.origin}/app.json`, { redirect_uris: [APP, SCHEME, 'http://127.0.0.1/cb'] }))

  /** The link back to the client on a page that leads nowhere by itself. */
  const linkOf = (t: Test, page: Page, to: string): URLSearchParams => {
    t.strictSame([page.status, page.location], [400, undefined])
    t.notMatch(page.body, 'http-equiv')
    const [, href = ''] = page.body.match(/<a href="((?:https:\/\/app|com\.example)[^"]*)"/) ?? []
    const url = new URL(href.replaceAll('&amp;', '&'))
    t.ok(url.href.startsWith(`${to}?`), href)
    return url.searchParams
  }

  t.test('400 nobody is sent on to where it wants them before they have seen a page', async (t) => {
    const wrong: [error: string, parameters: Sent][] = [
      ['invalid_scope', { scope: 'reports.read' }],
      ['invalid_request', { response_type: undefined }],
      ['unsupported_response_type', { response_type: 'token' }],
      ['invalid_request', { code_challenge: undefined }],
      ['invalid_target', { resource: 'https://films.example' }],
      ['request_not_supported', { request: 'e30.e30.' }],
      ['invalid_request', { prompt: 'none login' }],
      ['consent_required', { prompt: 'none' }],
      ['invalid_request', { nonce: 'n'.repeat(3_000) }]
    ]
    const ann = await signedIn(service)
    for (const [error, parameters] of wrong) {
      for (const redirect_uri of [APP, SCHEME]) {
        const { sent, path } = codeRequest({ client_id: `${host.origin}/app.json`, redirect_uri, ...parameters })
        const page = await ann.get(path)
        const answered = linkOf(t, page, redirect_uri)
        t.match(Object.fromEntries(answered), { error, state: 'a state', iss: 'http://localhost:3333' })
        t.match(page.text, `${asking.notAsked(hostName)} ${error}`)
        t.match(page.text, asking.notTrusted)
        t.match(page.text, asking.goOn(redirect_uri === APP ? 'app.example.com' : asking.toProgram('com.example.app')))
        if (error === 'invalid_request' && parameters.nonce) continue
        const byPost = await ann.follow(ann.post('/oauth/authorize', {}, { payload: queryOf(sent) }))
        t.equal(linkOf(t, byPost, redirect_uri).get('error'), error, 'by POST')
      }
      const own = codeRequest({ client_id: `${host.origin}/app.json`, redirect_uri: 'http://127.0.0.1:4242/cb' })
      const back = await ann.get(`/oauth/authorize?${queryOf({ ...own.sent, ...parameters })}`)
      t.equal(back.status, 303, `${error}: what listens on their own machine`)
      t.match(back.location, `error=${error}`)
    }
    const { path } = codeRequest({ client_id: `${host.origin}/app.json`, redirect_uri: APP, prompt: 'none' })
    t.equal(linkOf(t, await createVisitor(service).get(path), APP).get('error'), 'login_required', 'nor who is nobody')
    for (const language of LANGUAGES) {
      const page = await ann.get(path, { headers: { 'accept-language': language } })
      t.match(page.text, texts[language].asking.notAsked(hostName), language)
      t.match(page.text, texts[language].asking.notTrusted, language)
    }
  })

  t.test('200 after the question the browser goes on by itself, also with a denial', async (t) => {
    const ann = await signedIn(service)
    for (const redirect_uri of [APP, SCHEME]) {
      for (const [action, what] of [
        ['deny', 'error'],
        ['approve', 'code']
      ] as const) {
        const page = await ann.follow(ann.get(requestOf('/app.json', redirect_uri).path))
        t.match(page.text, redirect_uri === APP ? 'app.example.com' : 'com.example.app')
        const url = await answer(ann, action)
        t.ok(url.href.startsWith(`${redirect_uri}?${what}=`), url.href)
      }
    }
  })

  t.test('400 and fewer tokens for what the document does not name as a grant', async (t) => {
    const ann = await signedIn(service)
    const [device, brief] = [`${host.origin}/device.json`, `${host.origin}/code.json`]
    host.at('/device.json', documentOf(device, { grant_types: [DEVICE_CODE, 'refresh_token'] }))
    host.at('/code.json', documentOf(brief, { grant_types: undefined }))
    t.match((await ann.get(requestOf('/device.json').path)).location, 'error=unauthorized_client')
    const scope = 'openid offline_access'
    const request = codeRequest({ client_id: brief, redirect_uri: 'http://127.0.0.1:1/callback', scope })
    await ann.follow(ann.get(request.path))
    const code = (await answer(ann)).searchParams.get('code') ?? ''
    const { status, body } = await redeemCode(service, code, request, {}, { client_id: brief })
    t.strictSame([status, 'refresh_token' in body], [200, false])
    t.match(await service.begin(brief), { status: 400, body: { error: 'unauthorized_client' } })
    host.at('/nowhere.json', documentOf(`${host.origin}/nowhere.json`, { redirect_uris: undefined }))
    t.match((await ann.get(requestOf('/nowhere.json').path)).text, asking.unknownRedirect)
  })

  t.test('503 on a page while its host is away, and nothing is fetched for a code or a token', async (t) => {
    const ann = await signedIn(service)
    const request = requestOf('/tool.json')
    await ann.follow(ann.get(request.path))
    const client = { client_id: `${host.origin}/tool.json` }
    await host.down()
    const code = (await answer(ann)).searchParams.get('code') ?? ''
    clock.advance(MINUTE_MS - 1)
    const away = await ann.get(requestOf('/away.json').path)
    t.equal(away.status, 503)
    t.match(away.headers, { 'content-type': 'text/html; charset=utf-8', 'retry-after': /^\d+$/ })
    const { status, body } = await redeemCode(service, code, request, {}, client)
    t.equal(status, 200)
    t.equal((await service.refresh(body.refresh_token, client)).status, 200)
    const nobody = { client_id: `${host.origin}/never-seen.json` }
    t.match(await service.refresh('grt_x', nobody), { status: 400, body: { error: 'invalid_grant' } })
    t.match(await service.redeem('A'.repeat(43), nobody), { status: 400, body: { error: 'invalid_grant' } })
    await host.up()
  })

  t.test('200 what it says of itself is shown, and told to be doubtful where it is', async (t) => {
    const ann = await signedIn(service)
    const named = codeRequest({
      ...{ client_id: `${host.origin}/tool.json`, redirect_uri: 'http://127.0.0.1:4242/callback' },
      ...{ device_name: 'build-7', client_version: '1.4.0' }
    })
    const page = await ann.follow(ann.get(named.path))
    for (const [term, claim] of [
      [consent.claimedName, 'Tool'],
      [consent.version, '1.4.0'],
      [consent.hostname, 'build-7']
    ]) {
      const fact = `<dt>${term}</dt><dd><q><bdi>${claim}</bdi></q> <small>${consent.unchecked}</small></dd>`
      t.ok(page.body.includes(fact), fact)
    }
    t.notMatch(page.body, /class="warning strong"/)
    const bank = `${host.origin}/bank.json`
    host.at('/bank.json', documentOf(bank, { client_name: 'Yоur Bank' }))
    const doubtful = await ann.follow(ann.get(requestOf('/bank.json').path))
    t.match(doubtful.body, /class="warning strong"/)
    t.match(doubtful.text, `${consent.claimsIntro} ${consent.lookalike}`)
    t.notMatch(doubtful.text, consent.approve('Yоur Bank'))
  })

  t.test('200 what the document said at the start counts until it is answered, and no longer', async (t) => {
    const request = requestOf('/moved.json')
    const ann = await signedIn(service)
    const [first, second] = [await ann.get(request.path), await ann.get(request.path)]
    const changes = { client_name: 'Another', redirect_uris: ['https://new.example/callback'] }
    host.at('/moved.json', documentOf(`${host.origin}/moved.json`, changes))
    clock.advance(MINUTE_MS)
    t.match((await ann.get(request.path)).text, asking.unknownRedirect, 'nothing new is asked for there')
    const page = await ann.follow(first)
    t.match(page.body, `<q><bdi>Tool</bdi></q> <small>${consent.unchecked}</small>`)
    t.match(page.body, `<code>${host.origin}/moved.json</code>`, 'where it is described')
    const code = (await answer(ann)).searchParams.get('code') ?? ''
    const client = { client_id: `${host.origin}/moved.json` }
    t.equal((await redeemCode(service, code, request, {}, client)).status, 200)
    const [row] = (await service.call('GET', '/auth/clients', { token: await service.session('ann') })).body.data
    t.match(row, { client_name: 'Tool', ...client }, 'what was shown')

    clock.advance(MINUTE_MS)
    const looked = host.connections()
    await host.down()
    await ann.follow(second)
    t.match(Object.fromEntries((await answer(ann, 'deny')).searchParams), { error: 'access_denied' })
    await host.up()
    t.equal(host.connections(), looked, 'and nobody looks at it')
  })

  t.test(
    '200 a scope of discovery that the client could make nothing of is left out, and the answer says so',
    async (t) => {
      const client_id = `${host.origin}/brief.json`
      const grant_types = ['authorization_code', DEVICE_CODE]
      host.at('/brief.json', documentOf(client_id, { grant_types }))
      const { scopes_supported } = (await service.call('GET', '/.well-known/oauth-authorization-server')).body
      const ann = await signedIn(service)
      for (const [scope, granted] of [
        [scopes_supported.join(' '), 'openid profile email'],
        ['offline_access', '']
      ]) {
        const request = codeRequest({ client_id, redirect_uri: 'http://127.0.0.1:4242/callback', scope })
        const page = await ann.follow(ann.get(request.path))
        t.notMatch(page.text, 'stay connected')
        const code = (await answer(ann)).searchParams.get('code') ?? ''
        const { status, body } = await redeemCode(service, code, request, {}, { client_id })
        t.strictSame([status, body.scope, body.refresh_token], [200, granted, undefined])
      }
      const wrong = await ann.get(
        codeRequest({ client_id, redirect_uri: 'http://127.0.0.1:4242/callback', scope: 'x' }).path
      )
      t.match(wrong.location, 'error=invalid_scope')
    }
  )
})

t.test('a document that changes', async (t) => {
  const host = await startHost(t)
  const service = await startService(t)
  const { begin, clock, introspect, refresh, tokens } = service
  const { clients } = service.app.core
  const uriOf = async (id: string) => {
    const client = clients.find(id)
    const described = client && (await clients.describe(client, admitted))
    return described && 'redirectUris' in described ? described.redirectUris : undefined
  }

  t.test('is gone: nothing new is begun, and what was approved goes on until it is revoked', async (t) => {
    const client_id = `${host.origin}/gone.json`
    const { refresh_token } = await tokens({ client_id })
    host.at('/gone.json', answerWith('', 404))
    t.equal((await begin(client_id)).status, 200, 'it is still fresh')
    clock.advance(MINUTE_MS)
    t.match(await begin(client_id), { status: 401, body: { error: 'invalid_client' } })
    const refreshed = await refresh(refresh_token, { client_id })
    t.equal(refreshed.status, 200)
    t.match((await introspect(refreshed.body.access_token)).body, { active: true })
  })

  t.test('has other redirect URIs: the old ones count while it is fresh, and then no more', async (t) => {
    const client_id = `${host.origin}/moved.json`
    const moved = documentOf(client_id, { redirect_uris: ['https://new.example.com/callback'] })
    t.strictSame(await uriOf(client_id), REDIRECT_URIS)
    host.at('/moved.json', moved)
    clock.advance(MINUTE_MS - 1)
    t.strictSame(await uriOf(client_id), REDIRECT_URIS)
    clock.advance(1)
    t.strictSame(await uriOf(client_id), ['https://new.example.com/callback'])
    t.equal(host.count('/moved.json'), 2)
  })

  t.test('names another client: it is refused, and so is the other', async (t) => {
    const [one, other] = [`${host.origin}/one.json`, `${host.origin}/other.json`]
    t.equal((await begin(one)).status, 200)
    host.at('/one.json', documentOf(other))
    host.at('/other.json', documentOf(one))
    clock.advance(MINUTE_MS)
    for (const id of [one, other]) t.match(await begin(id), { status: 401, body: { error: 'invalid_client' } }, id)
  })

  t.test('is kept for as long as its headers say, a minute at least and a day at most', async (t) => {
    const soon = (ms: number) => new Date(clock() + ms).toUTCString()
    const cases: [Record<string, string>, number][] = [
      [{}, MINUTE_MS],
      [{ 'cache-control': 'no-store' }, MINUTE_MS],
      [{ 'cache-control': 'max-age=3600, no-cache' }, MINUTE_MS],
      [{ 'cache-control': 'max-age=1' }, MINUTE_MS],
      [{ 'cache-control': 'public, max-age=600' }, 10 * MINUTE_MS],
      [{ 'cache-control': 'max-age=600', age: '300' }, 5 * MINUTE_MS],
      [{ 'cache-control': 'max-age=600', expires: soon(DAY_MS) }, 10 * MINUTE_MS],
      [{ expires: 'never' }, MINUTE_MS],
      [{ 'cache-control': 'max-age=31536000' }, DAY_MS]
    ]
    for (const [i, [headers, keptMs]] of cases.entries()) {
      const id = `${host.origin}/kept/${i}`
      host.at(`/kept/${i}`, answerWith(JSON.stringify(documentOf(id)), 200, headers))
      await begin(id)
      clock.advance(keptMs - 1)
      await begin(id)
      t.equal(host.count(`/kept/${i}`), 1, `${JSON.stringify(headers)}: fresh`)
      clock.advance(1)
      await begin(id)
      t.equal(host.count(`/kept/${i}`), 2, `${JSON.stringify(headers)}: not fresh any more`)
    }
  })
})

t.test('who may be known by a URL', async (t) => {
  const host = await startHost(t)
  const client_id = `${host.origin}/tool.json`
  const metadata = async (service: Awaited<ReturnType<typeof startService>>) =>
    (await service.call('GET', '/.well-known/oauth-authorization-server')).body.client_id_metadata_document_supported

  t.test('nobody, unless the operator says so', async (t) => {
    const service = await startService(t, { CLIENT_ID_METADATA: 'off' })
    t.match(await service.begin(client_id), { status: 401, body: { error: 'invalid_client' } })
    t.equal(await metadata(service), undefined)
    t.equal(host.connections(), 0)
  })

  t.test('those of the hosts that are named, each with its port', async (t) => {
    const allowed = await startService(t, { CLIENT_ID_METADATA: `app.example.com, localhost:${host.port}` })
    t.equal((await allowed.begin(client_id)).status, 200)
    t.equal(await metadata(allowed), true)
    const before = host.connections()
    const other = await startService(t, { CLIENT_ID_METADATA: 'app.example.com' })
    t.match(await other.begin(client_id), { status: 401, body: { error: 'invalid_client' } })
    t.equal(host.connections(), before)
  })

  t.test('nobody at an address that is not public', async (t) => {
    const service = await startService(t, { FOREIGN_ISSUERS_ON_LOOPBACK: 'off' })
    const before = host.connections()
    const refused = await service.begin(client_id)
    t.match(refused, { status: 401, body: { error: 'invalid_client', error_description: /cannot be fetched/ } })
    t.notMatch(refused.body.error_description, /address|public/, 'and nobody explores a network by the answers')
    t.equal(host.connections(), before)
  })
})

t.test('401 for a name that nobody has as for one of the inside, and 503 while nobody can say', async (t) => {
  const dns = await startDnsServer(t)
  const { begin } = await startService(t, { FOREIGN_ISSUERS_ON_LOOPBACK: 'off', DNS_RESOLVER: dns.address })
  dns.point('inside.example.com', '10.0.0.1')
  dns.fail('empty.example.com', 'NODATA')
  dns.fail('broken.example.com', 'SERVFAIL')
  const [{ status, body }, ...others] = [
    await begin('https://inside.example.com/tool.json'),
    await begin('https://empty.example.com/tool.json'),
    await begin('https://nobody.example.com/tool.json'),
    await begin('https://localhost/tool.json')
  ]
  t.match({ status, body }, { status: 401, body: { error: 'invalid_client' } })
  for (const other of others) t.strictSame({ status: other.status, body: other.body }, { status, body })
  t.equal((await begin('https://broken.example.com/tool.json')).status, 503)
})

t.test('two URLs with the same tag', async (t) => {
  const host = await startHost(t)
  const service = await startService(t)
  const seen = new Map<string, string>()
  let pair: [string, string] | undefined
  for (let i = 0; !pair; i++) {
    const id = `${host.origin}/${i}`
    const before = seen.get(tagOf(id))
    if (before) pair = [before, id]
    seen.set(tagOf(id), id)
  }
  const [one, other] = pair
  t.ok(tagOf(one).startsWith(URL_TAG), 'no client of the operator can have it')
  const { device_code, user_code } = await service.authorize({ client_id: one })
  await service.approve(user_code)
  t.match(await service.redeem(device_code, { client_id: other }), { status: 400, body: { error: 'invalid_grant' } })
  t.equal((await service.redeem(device_code, { client_id: one })).status, 200, 'and it is not burned')
})

t.test('what leaves the service is bounded', async (t) => {
  t.test('429 one address causes twenty fetches a minute', async (t) => {
    const host = await startHost(t)
    const { begin, clock } = await startService(t, { LIMITS: 'on', LIMIT_START_PER_MINUTE: '100000' })
    const known = `${host.origin}/known`
    t.equal((await begin(known)).status, 200)
    const answers = []
    for (let i = 0; i < 100; i++) answers.push(await begin(`${host.origin}/${i}`))
    t.equal(answers.filter(({ status }) => status === 200).length, 19)
    const [refused] = answers.filter(({ status }) => status !== 200)
    t.match(refused, { status: 429, body: { error: 'temporarily_unavailable' }, headers: { 'retry-after': /^\d+$/ } })
    t.equal(host.requests.length, 20)
    t.equal((await begin(known)).status, 200, 'what is kept costs nothing')
    clock.advance(MINUTE_MS)
    t.equal((await begin(`${host.origin}/later`)).status, 200)
  })

  t.test('429 on a page where a browser causes them', async (t) => {
    const host = await startHost(t)
    const limits = { LIMITS: 'on', LIMIT_START_PER_MINUTE: '100000', LIMIT_CLIENT_METADATA_PER_MINUTE: '2' }
    const service = await startService(t, limits)
    const visitor = createVisitor(service)
    const ask = (path: string) =>
      visitor.get(codeRequest({ client_id: host.origin + path, redirect_uri: 'http://127.0.0.1:1/callback' }).path)
    for (const path of ['/one', '/two', '/one']) t.equal((await ask(path)).status, 303, path)
    const refused = await ask('/three')
    t.equal(refused.status, 429)
    t.match(refused.headers, { 'content-type': 'text/html; charset=utf-8', 'retry-after': /^\d+$/ })
    t.equal((await ask('/two')).status, 303, 'what is kept costs nothing')
    t.equal(host.requests.length, 2)
  })

  const never = new Promise<GuardedAnswer>(() => {})
  const answerTo = (url: string): GuardedAnswer => ({
    body: documentOf(url),
    headers: { 'content-type': 'application/json' },
    fingerprints: []
  })
  const outcomeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => 'found',
      (error) => (isFault(error) ? error.code : String(error))
    )

  t.test('of a thousand URLs at once 32 are fetched, and four of one host', async (t) => {
    const asked: string[] = []
    const fetch = (url: string) => {
      asked.push(url)
      return never
    }
    for (const [hosts, most] of [
      [1_000, 32],
      [1, 4]
    ] as const) {
      asked.length = 0
      const documents = createClientDocuments(fetch, testClock())
      const outcomes = new Map<string, number>()
      for (let i = 0; i < 1_000; i++) {
        const outcome = outcomeOf(documents.of(`https://${i % hosts}.example.com:${1_000 + i}/${i}`, admitted))
        void outcome.then((code) => outcomes.set(code, (outcomes.get(code) ?? 0) + 1))
      }
      await new Promise((resolve) => setImmediate(resolve))
      t.strictSame([...outcomes], [['overloaded', 1_000 - most]])
      t.equal(asked.length, most)
    }
  })

  t.test('all who wait for the same are one fetch, and are admitted once', async (t) => {
    const url = 'https://app.example.com/tool.json'
    let [fetches, admissions] = [0, 0]
    let answer: (given: GuardedAnswer) => void = () => {}
    const fetch = () => {
      fetches += 1
      return new Promise<GuardedAnswer>((resolve) => {
        answer = resolve
      })
    }
    const documents = createClientDocuments(fetch, testClock())
    const admit = async () => {
      admissions += 1
    }
    const first = documents.of(url, admit)
    await new Promise((resolve) => setImmediate(resolve))
    const others = Array.from({ length: 50 }, () => documents.of(url, admit))
    answer(answerTo(url))
    await Promise.all([first, ...others])
    t.strictSame([fetches, admissions], [1, 1])
  })

  t.test('nor is what fails fetched again by those who were admitted meanwhile', async (t) => {
    let fetches = 0
    const documents = createClientDocuments(async () => {
      fetches += 1
      throw new NoDocumentError('answered 404')
    }, testClock())
    const late = () => new Promise<void>((resolve) => setImmediate(resolve))
    const asked = [admitted, late, late].map((admit) =>
      outcomeOf(documents.of('https://app.example.com/nothing', admit))
    )
    t.strictSame(await Promise.all(asked), ['invalid_client', 'invalid_client', 'invalid_client'])
    t.equal(fetches, 1)
  })

  t.test('nothing is fetched for who is not admitted', async (t) => {
    let fetches = 0
    const documents = createClientDocuments(async (url) => {
      fetches += 1
      return answerTo(url)
    }, testClock())
    const refuse = () => Promise.reject(new Error('not admitted'))
    await t.rejects(documents.of('https://app.example.com/tool.json', refuse), /not admitted/)
    t.equal(fetches, 0)
    await documents.of('https://app.example.com/tool.json', admitted)
    t.ok(await documents.of('https://app.example.com/tool.json', refuse), 'what is kept is for everybody')
  })

  t.test('a thousand are kept, whatever fails meanwhile', async (t) => {
    const asked: string[] = []
    const documents = createClientDocuments(async (url) => {
      asked.push(url)
      if (url.includes('nothing')) throw new NoDocumentError('answered 404')
      return answerTo(url)
    }, testClock())
    const ask = (url: string) => outcomeOf(documents.of(url, admitted))
    for (let i = 0; i <= 1_000; i++) t.equal(await ask(`https://${i}.example.com/tool`), 'found')
    for (let i = 0; i <= 1_000; i++) t.equal(await ask(`https://nothing.example.com/${i}`), 'invalid_client')
    const before = asked.length
    await ask('https://1.example.com/tool')
    await ask('https://1000.example.com/tool')
    t.equal(asked.length, before, 'held')
    await ask('https://0.example.com/tool')
    t.equal(asked.length, before + 1, 'the first has made room')
  })

  t.test('what is in use stays, whatever else is fetched meanwhile', async (t) => {
    const asked: string[] = []
    const documents = createClientDocuments(async (url) => {
      asked.push(url)
      return answerTo(url)
    }, testClock())
    const known = 'https://known.example.com/tool'
    for (let i = 0; i < 3_000; i++) {
      if (i % 500 === 0) await documents.of(known, admitted)
      await documents.of(`https://others.example.com/${i}`, admitted)
    }
    t.equal(asked.filter((url) => url === known).length, 1)
  })

  t.test('what was known is looked at again, though a thousand new ones wait', async (t) => {
    const clock = testClock()
    const hung: string[] = []
    const documents = createClientDocuments((url) => {
      if (!url.includes('new')) return Promise.resolve(answerTo(url))
      hung.push(url)
      return never
    }, clock)
    const known = ['https://one.example.com/tool', 'https://other.example.com/tool']
    for (const url of known) await documents.of(url, admitted)
    const flood = Array.from({ length: 1_000 }, (_, i) =>
      outcomeOf(documents.of(i < 500 ? `https://one.example.com/new/${i}` : `https://${i}.example.com/new`, admitted))
    )
    void Promise.all(flood)
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(hung.length, 32)
    t.equal(hung.filter((url) => url.startsWith('https://one.')).length, 4)
    clock.advance(MINUTE_MS)
    for (const url of known) t.equal(await outcomeOf(documents.of(url, admitted)), 'found', url)
    t.equal(await outcomeOf(documents.of('https://late.example.com/tool', admitted)), 'overloaded')
  })

  t.test('nothing is asked of a name that means an address which is not public', async (t) => {
    const documents = (...addresses: string[]) => {
      const resolve = ((_host: string, _options: object, done: (error: null, found: object[]) => void) =>
        done(
          null,
          addresses.map((address) => ({ address, family: isIP(address) }))
        )) as unknown as typeof lookup
      return createClientDocuments(
        createGuardedFetch({ allowLoopback: false, ca: undefined, lookup: resolve }),
        testClock()
      )
    }
    for (const addresses of [
      ...['127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'],
      ...[
        '::1',
        '::',
        '::ffff:10.0.0.1',
        '::ffff:a9fe:a9fe',
        '64:ff9b::a00:1',
        '2002:a00:1::',
        'fe80::1',
        'fd00:ec2::254'
      ],
      ...[
        ['93.184.215.14', '10.0.0.1'],
        ['2606:4700::1111', '::1']
      ]
    ]) {
      const refused = documents(...[addresses].flat()).of('https://app.example.com/tool.json', admitted)
      await t.rejects(refused, { code: 'invalid_client', hint: /cannot be fetched$/ }, `${addresses}`)
    }
  })

  t.test('a fetch that takes too long, or must not be made, is told apart, and its place is free again', async (t) => {
    let error: Error = new Error('never')
    const clock = testClock()
    const documents = createClientDocuments(() => Promise.reject(error), clock)
    const url = 'https://app.example.com/tool.json'
    for (let round = 0; round < 20; round++) {
      error = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
      t.equal(await outcomeOf(documents.of(url, admitted)), 'unavailable')
      clock.advance(10_000)
      error = new ForbiddenUrlError('a redirect, which is not followed')
      t.equal(await outcomeOf(documents.of(url, admitted)), 'invalid_client')
      clock.advance(10_000)
    }
  })
})

t.test('what is read of a document', async (t) => {
  const url = 'https://app.example.com/tool.json'
  t.strictSame(readClientDocument(url, documentOf(url, { logo_uri: 'https://app.example.com/logo.png' })), {
    name: 'Tool',
    redirectUris: REDIRECT_URIS,
    grantTypes: GRANT_TYPES
  })
  t.strictSame(readClientDocument(url, { client_id: url }), {
    name: undefined,
    redirectUris: [],
    grantTypes: ['authorization_code']
  })
  for (const uri of [
    'https://app.example.com/callback?from=here',
    'http://127.0.0.1/',
    'http://127.0.0.1:1234/callback',
    'http://[::1]/callback',
    'http://localhost/callback',
    'com.example.app:/callback'
  ]) {
    t.ok(isRedirectUri(uri), uri)
  }
  for (const uri of [
    'http://app.example.com/callback',
    'http://localhost.example.com/callback',
    'https://app.example.com/callback#part',
    'https://ann@app.example.com/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'app:/callback',
    '/callback',
    'https://app.example.com/ callback',
    'https://app.example.com/\ncallback',
    ''
  ]) {
    t.notOk(isRedirectUri(uri), JSON.stringify(uri))
  }
  t.equal(readClientUrl('https://app.example.com/tool?x=1')?.host, 'app.example.com')
})
