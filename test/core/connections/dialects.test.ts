/**
 * What identity providers really answer. Each row of a table is a dialect with the source that says so. It is spoken to one
 * person, at sign-in and at refresh, over two instances on one Redis; beside each of them somebody else signs in and is refreshed.
 */

import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { loadConfig } from '../../../src/config/load-config.js'
import { loggerOptions } from '../../../src/logger.js'
import { type Answer, startApp, type TestApp, testClock } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { type Reply, type Request, startDialectUpstream } from '../../support/dialect-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { inRoot } from '../../support/root.js'
import { providersFile } from '../../support/sign-in.js'
import { sessionOf } from '../../support/tokens.js'

const PUBLIC_URL = 'https://grants.example'
const HOUR_MS = 3_600_000
const OIDC = ['openid', 'profile', 'email']
const NEEDS_RECONNECT = 'The provider no longer accepts this account: its user has to connect it again.'
const ALWAYS = { expires: '3650d' }

const redis = await startRedis()
t.teardown(() => redis.stop())
const upstream = await startDialectUpstream(t)
const clock = testClock()
const lines: string[] = []

const named = { client_id: 'grantd', client_secret: 'a secret of grantd' }
const plain = (id: string, more: object = {}) => ({
  ...{ id, name: id, ...named, scope: 'profile', authorization_endpoint: `${upstream.origin}/${id}/authorize` },
  ...{ token_endpoint: `${upstream.origin}/${id}/token`, userinfo_endpoint: `${upstream.origin}/${id}/userinfo` },
  revocation_endpoint: `${upstream.origin}/${id}/revoke`,
  ...more
})
const ENTRIES = [
  { id: 'acme', name: 'Acme', ...named, issuer: `${upstream.origin}/acme` },
  plain('hub'),
  plain('mute', { access_token_ttl_seconds: 7_200 })
]
const PROVIDERS_FILE = providersFile(t, ENTRIES)

const start = (t: Test) =>
  startApp(
    t,
    { PUBLIC_URL, SIGNING_ALG: 'EdDSA', REDIS_URL: redis.url, PROVIDERS_FILE, LIMITS: 'off' },
    {
      testClock: clock,
      logger: { ...(loggerOptions('info') as object), stream: { write: (line: string) => lines.push(line) } }
    }
  )
const [one, two] = [await start(t), await start(t)]

/** Signs somebody in as far as the callback. Resolves to the outcome, or to the code of the fault. */
async function enter({ app }: TestApp, providerId: string, login: string) {
  const { url, attempt } = await app.core.signIn.begin(providerId, { reauthenticates: false })
  const query = new URLSearchParams({ code: upstream.codeFor(login, url), state: attempt.state })
  return app.core.signIn.finish(providerId, `${query}`, attempt, BY).catch((fault) => ({ kind: fault.code as string }))
}

interface Account {
  id: string
  userId: string
  session: string
}

async function open(service: TestApp, providerId: string, login: string): Promise<Account> {
  const outcome = await enter(service, providerId, login)
  if (!('session' in outcome)) throw new Error(`${login} is not signed in: ${JSON.stringify(outcome)}`)
  const { userId } = outcome.session
  const [account] = await service.app.core.connections.list(userId)
  return { id: account?.id ?? '', userId, session: await sessionOf(userId, ALWAYS) }
}

const ask = ({ call }: TestApp, { id, session }: Account, query = ''): Promise<Answer> =>
  call('GET', `/api/v0/oauthAccounts/${id}/accessToken${query}`, { token: session })
const listed = async (account: Account) =>
  (await one.call('GET', '/api/v0/oauthAccounts', { token: account.session })).body.data[0]

const speeches = new Map<string, Speech>()
/** How somebody is spoken to; everybody else is answered by the specifications. */
function speakTo(login: string, asked: Request['asked'], speech: Speech): void {
  speeches.set(`${asked} ${login}`, speech)
}
function speakPlainly(): void {
  speeches.clear()
  upstream.speak = async (request) => {
    const speech = speeches.get(`${request.asked} ${request.login}`)
    return typeof speech === 'function' ? speech(request) : speech
  }
}
speakPlainly()

type Speech = Reply | ((request: Request) => Promise<Reply>)
type AtExchange = 'signed_in' | 'refused' | 'unavailable' | 'not tried'
type AtRefresh = 'fresh' | 'reconnect' | 'kept'

/** The answer by the specifications with some members changed. */
const but =
  (changes: object, more: Exclude<Reply, string> = {}, options: Parameters<Request['issue']>[0] = {}): Speech =>
  async ({ issue }) => {
    const issued = await issue(options)
    return issued ? { ...more, body: { ...issued, ...changes } } : { status: 400, body: { error: 'invalid_grant' } }
  }
/** The answer by the specifications, written otherwise. */
const written =
  (write: (issued: Record<string, unknown>) => string | Buffer, type?: string): Speech =>
  async ({ issue }) => {
    const issued = await issue()
    if (!issued) return { status: 400, body: { error: 'invalid_grant' } }
    return { body: write(issued), headers: type === undefined ? {} : { 'content-type': type } }
  }
const formOf = ({ id_token: _left, ...members }: Record<string, unknown>) =>
  new URLSearchParams(Object.entries(members).map(([name, value]) => [name, String(value)])).toString()
const withMark = (body: unknown) => Buffer.from(`\ufeff${JSON.stringify(body)}`)
const HTML = { 'content-type': 'text/html' }
const keepsTheOld = { rotates: false }

type Row = [
  what: string,
  source: string,
  speech: Speech,
  atExchange: AtExchange,
  atRefresh: AtRefresh,
  only?: 'acme' | 'hub'
]

/** Answers with tokens that can be used. */
const USABLE: Row[] = [
  ['as specified', 'RFC 6749 §5.1', but({}), 'signed_in', 'fresh'],
  [
    'the type in capitals',
    'RFC 6749 §5.1: the type is case insensitive',
    but({ token_type: 'BEARER' }),
    'signed_in',
    'fresh'
  ],
  [
    'no type',
    'Atlassian, Implementing the Refresh Token Flow, 2023',
    but({ token_type: undefined }),
    'signed_in',
    'fresh'
  ],
  ['the type "bot"', 'Slack, oauth.v2.access, 2024', but({ token_type: 'bot', ok: true }), 'signed_in', 'fresh'],
  [
    'a type that is null',
    'OpenAPI 3.0 "nullable", JSON null as absent',
    but({ token_type: null }),
    'signed_in',
    'fresh'
  ],
  [
    'scopes as a list',
    'Twitch, Getting OAuth Access Tokens, 2024',
    but({ scope: ['openid', 'email'] }),
    'signed_in',
    'fresh'
  ],
  ['scopes with commas', 'GitHub, Authorizing OAuth apps, 2024', but({ scope: 'repo,gist' }), 'signed_in', 'fresh'],
  ['no scopes', 'RFC 6749 §5.1: optional if identical', but({ scope: undefined }), 'signed_in', 'fresh'],
  ['scopes that are null', 'JSON null as absent', but({ scope: null }), 'signed_in', 'fresh'],
  ['a life as text', 'Azure AD v1.0 token endpoint, 2020', but({ expires_in: '3600' }), 'signed_in', 'fresh'],
  ['an empty life', 'RFC 6749 §5.1 wants a number', but({ expires_in: '' }), 'signed_in', 'fresh'],
  ['a negative life', 'RFC 6749 §5.1 wants a lifetime', but({ expires_in: -1 }), 'signed_in', 'fresh'],
  ['a fraction of a second', 'RFC 8259 §6: a number may have one', but({ expires_in: 3_600.5 }), 'signed_in', 'fresh'],
  ['a life that is null', 'JSON null as absent', but({ expires_in: null }), 'signed_in', 'fresh'],
  ['a life beyond numbers', 'RFC 8259 §6', but({ expires_in: '1e999' }), 'signed_in', 'fresh'],
  ['no life', 'Salesforce, OAuth 2.0 Refresh Token Flow, 2024', but({ expires_in: undefined }), 'signed_in', 'fresh'],
  [
    'no successor',
    'Google, Using OAuth 2.0 for Web Server Applications, 2024',
    but({ refresh_token: undefined }, {}, keepsTheOld),
    'not tried',
    'fresh'
  ],
  [
    'an empty successor',
    'RFC 6749 §6: issuing one is optional',
    but({ refresh_token: '' }, {}, keepsTheOld),
    'not tried',
    'fresh'
  ],
  [
    'a successor that is null',
    'JSON null as absent',
    but({ refresh_token: null }, {}, keepsTheOld),
    'not tried',
    'fresh'
  ],
  [
    'an ID token nobody can read',
    'OpenID Connect Core 1.0 §12.2: optional at refresh',
    but({ id_token: 'x.y.z' }),
    'not tried',
    'fresh'
  ],
  [
    'an ID token nobody asked for',
    'Microsoft identity platform, OpenID Connect, 2024',
    but({}),
    'signed_in',
    'fresh',
    'hub'
  ],
  [
    'a form',
    'GitHub, Authorizing OAuth apps, 2024',
    written(formOf, 'application/x-www-form-urlencoded'),
    'signed_in',
    'fresh',
    'hub'
  ],
  [
    'a form at refresh',
    'RFC 6749 §5.1 wants JSON',
    written(formOf, 'application/x-www-form-urlencoded'),
    'not tried',
    'fresh',
    'acme'
  ],
  [
    'a form called text',
    'Facebook, Graph API 2.2, 2014',
    written(formOf, 'text/plain; charset=UTF-8'),
    'signed_in',
    'fresh',
    'hub'
  ],
  [
    'a byte order mark',
    'RFC 8259 §8.1: parsers may ignore it',
    written(withMark, 'application/json'),
    'signed_in',
    'fresh'
  ],
  [
    'JSON called text',
    'RFC 6749 §5.1 wants application/json',
    written(JSON.stringify, 'text/plain'),
    'signed_in',
    'fresh'
  ],
  ['JSON without a type', 'RFC 9110 §8.3: the type may be missing', written(JSON.stringify), 'signed_in', 'fresh'],
  ['201', 'RFC 9110 §15.3.2', but({}, { status: 201 }), 'signed_in', 'fresh'],
  [
    'an empty error',
    'RFC 6749 §5.2: a success has none',
    but({ error: '', error_description: null }),
    'signed_in',
    'fresh'
  ],
  ['an empty list of scopes', 'RFC 6749 §3.3: one at least', but({ scope: [] }), 'signed_in', 'fresh'],
  [
    'a successor of spaces',
    'RFC 6749 §6: issuing one is optional',
    but({ refresh_token: ' ' }, {}, keepsTheOld),
    'not tried',
    'fresh'
  ],
  ['UTF-16', 'RFC 4627 §3', written((issued) => Buffer.from(JSON.stringify(issued), 'utf16le')), 'signed_in', 'fresh'],
  [
    'UTF-16 with a mark, the other way round',
    'RFC 4627 §3',
    written((issued) => Buffer.from(`\ufeff${JSON.stringify(issued)}`, 'utf16le').swap16()),
    'signed_in',
    'fresh'
  ],
  [
    'a form after a byte order mark',
    'Unicode 15 §23.8, 2022',
    written((issued) => Buffer.from(`\ufeff${formOf(issued)}\r\n`)),
    'signed_in',
    'fresh',
    'hub'
  ],
  [
    'a form with spaces in it',
    'WHATWG URL §5.1 reads them',
    written((issued) => formOf(issued).replaceAll('+', ' ')),
    'signed_in',
    'fresh',
    'hub'
  ],
  [
    'members nobody knows',
    'RFC 6749 §5.1: they must be ignored',
    but({ instance_url: 'https://x.example', x: { y: 1 } }),
    'signed_in',
    'fresh'
  ]
]

const said = (status: number, body: unknown, headers: Record<string, string> = {}): Reply => ({ status, body, headers })

/** Refusals of one code or refresh token. */
const REFUSALS: Row[] = [
  ['as specified', 'RFC 6749 §5.2', said(400, { error: 'invalid_grant' }), 'refused', 'reconnect'],
  ['401', 'RFC 6749 §5.2 wants 400', said(401, { error: 'invalid_grant' }), 'refused', 'reconnect'],
  [
    '403',
    'Atlassian, Implementing the Refresh Token Flow, 2023',
    said(403, { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' }),
    'refused',
    'reconnect'
  ],
  [
    '403 of the client',
    'Atlassian, OAuth 2.0 (3LO) apps, 2021',
    said(403, { error: 'unauthorized_client', error_description: 'refresh_token is invalid' }),
    'refused',
    'reconnect'
  ],
  [
    'the request refused',
    'LinkedIn, Programmatic Refresh Tokens, 2024',
    said(400, {
      error: 'invalid_request',
      error_description: 'The provided authorization grant or refresh token is invalid'
    }),
    'refused',
    'reconnect'
  ],
  [
    '200 with ok: false',
    'Slack, openid.connect.token, 2024',
    said(200, { ok: false, error: 'invalid_code' }),
    'refused',
    'reconnect'
  ],
  [
    '200 with ok: false, a spent token',
    'Slack, Using token rotation, 2024',
    said(200, { ok: false, error: 'invalid_refresh_token' }),
    'refused',
    'reconnect'
  ],
  ['200 with ok: false alone', 'Slack, Web API, 2024: ok says it', said(200, { ok: false }), 'refused', 'reconnect'],
  [
    '200 with an error',
    'GitHub, Troubleshooting OAuth access token request errors, 2024',
    said(200, { error: 'bad_refresh_token' }),
    'refused',
    'reconnect'
  ],
  [
    '200 with a form',
    'GitHub, Troubleshooting OAuth access token request errors, 2024',
    said(200, 'error=bad_verification_code&error_uri=%2Fx'),
    'refused',
    'reconnect'
  ],
  [
    'an error object',
    'Facebook, Graph API, Handle Errors, 2024',
    said(400, { error: { message: 'x', type: 'OAuthException', code: 190 } }),
    'refused',
    'reconnect'
  ],
  [
    '200 with an error object',
    'Google APIs, errors as objects, 2024',
    said(200, { error: { code: 400, status: 'INVALID_ARGUMENT' } }),
    'refused',
    'reconnect'
  ],
  [
    'a list of errors',
    'Fitbit, Refreshing Tokens, 2024',
    said(400, { errors: [{ errorType: 'invalid_grant', message: 'x' }], success: false }),
    'refused',
    'reconnect'
  ],
  [
    'a message with errors',
    'Strava, Authentication, 2024',
    said(400, { message: 'Bad Request', errors: [{ resource: 'RefreshToken', field: 'code', code: 'invalid' }] }),
    'refused',
    'reconnect'
  ],
  ['a message alone', 'RFC 6749 §5.2: 400 is a refusal', said(400, { message: 'no' }), 'refused', 'reconnect'],
  [
    '200 with a number',
    'WeChat Open Platform, OAuth 2.0, 2024',
    said(200, { errcode: 40029, errmsg: 'invalid code' }),
    'refused',
    'reconnect'
  ],
  [
    '200 with a code and a message',
    'Lark, user access token, 2024',
    said(200, { code: 20026, msg: 'refresh token is invalid' }),
    'refused',
    'reconnect'
  ],
  [
    'a sign-in is needed',
    'Microsoft identity platform, error codes, 2024',
    said(400, { error: 'interaction_required', error_codes: [50079] }),
    'refused',
    'reconnect'
  ],
  [
    'a byte order mark before it',
    'RFC 8259 §8.1',
    said(400, withMark({ error: 'invalid_grant' })),
    'refused',
    'reconnect'
  ],
  [
    'a challenge without a body',
    'RFC 6750 §3.1',
    said(401, '', { 'www-authenticate': 'Bearer error="invalid_token"' }),
    'refused',
    'reconnect'
  ],
  [
    'a challenge with a body',
    'RFC 6750 §3',
    said(400, { error: 'invalid_grant' }, { 'www-authenticate': 'Bearer realm="x"' }),
    'refused',
    'reconnect'
  ],
  [
    'the page of a firewall',
    'RFC 9110 §15.5.4: not the provider’s words',
    said(403, '<html>Forbidden', HTML),
    'refused',
    'kept'
  ],
  [
    '404 with a page',
    'RFC 9110 §15.5.5: not the provider’s words',
    said(404, '<html>Not Found', HTML),
    'refused',
    'kept'
  ],
  [
    'a text',
    'RFC 6749 §5.2 wants JSON',
    said(400, 'invalid_grant', { 'content-type': 'text/plain' }),
    'refused',
    'kept'
  ]
]

/** The operator's entry is wrong: no code and no token is to blame. */
const OPERATORS: Row[] = [
  [
    'as specified',
    'RFC 6749 §5.2',
    said(401, { error: 'invalid_client' }, { 'www-authenticate': 'Basic realm="x"' }),
    'unavailable',
    'kept'
  ],
  ['400', 'RFC 6749 §5.2: 400 is allowed', said(400, { error: 'invalid_client' }), 'unavailable', 'kept'],
  [
    '200',
    'GitHub, Troubleshooting OAuth access token request errors, 2024',
    said(200, { error: 'incorrect_client_credentials' }),
    'unavailable',
    'kept'
  ],
  [
    '200, the redirect URI',
    'GitHub, Troubleshooting OAuth access token request errors, 2024',
    said(200, { error: 'redirect_uri_mismatch' }),
    'unavailable',
    'kept'
  ],
  [
    '200 with ok: false',
    'Slack, oauth.v2.access, 2024',
    said(200, { ok: false, error: 'bad_client_secret' }),
    'unavailable',
    'kept'
  ],
  [
    'unauthorized at authentication',
    'Keycloak 22, 2023',
    said(401, { error: 'unauthorized_client', error_description: 'Invalid client or Invalid client credentials' }),
    'unavailable',
    'kept'
  ],
  [
    'unauthorized for the grant type',
    'RFC 6749 §5.2',
    said(400, { error: 'unauthorized_client' }),
    'unavailable',
    'kept'
  ],
  [
    'a number for a word',
    'Reddit, OAuth2, 2024',
    said(401, { message: 'Unauthorized', error: 401 }),
    'unavailable',
    'kept'
  ],
  [
    'a client id nobody knows',
    'Salesforce, OAuth 2.0 errors, 2024',
    said(400, { error: 'invalid_client_id' }),
    'unavailable',
    'kept'
  ],
  [
    'a word in capitals',
    'RFC 6749 §5.2 wants small letters',
    said(400, { error: 'INVALID_CLIENT' }),
    'unavailable',
    'kept'
  ],
  [
    'an error object',
    'errors as objects, the code inside',
    said(401, { error: { code: 'invalid_client' } }),
    'unavailable',
    'kept'
  ]
]

/** Trouble, and what says nothing at all. */
const TROUBLE: Row[] = [
  ['500', 'RFC 9110 §15.6.1', said(500, 'broken'), 'unavailable', 'kept'],
  [
    '500 that names a refusal',
    'RFC 9110 §15.6: the server has failed',
    said(500, { error: 'invalid_grant' }),
    'unavailable',
    'kept'
  ],
  ['503', 'RFC 9110 §15.6.4', said(503, ''), 'unavailable', 'kept'],
  ['429', 'RFC 6585 §4', said(429, { error: 'rate_limited' }), 'unavailable', 'kept'],
  ['408', 'RFC 9110 §15.5.9', said(408, ''), 'unavailable', 'kept'],
  ['400 for a while', 'RFC 6749 §4.1.2.1', said(400, { error: 'temporarily_unavailable' }), 'unavailable', 'kept'],
  [
    '200 for a while',
    'Slack, Web API errors, 2024',
    said(200, { ok: false, error: 'ratelimited' }),
    'unavailable',
    'kept'
  ],
  [
    'too many requests by 403',
    'GitHub, Rate limits for the REST API, 2024',
    said(403, { message: 'You have exceeded a secondary rate limit.' }),
    'unavailable',
    'kept'
  ],
  [
    'too many requests in an object',
    'Google APIs, Handle errors, 2024',
    said(403, { error: { code: 403, errors: [], status: 'RESOURCE_EXHAUSTED' } }),
    'unavailable',
    'kept'
  ],
  [
    'a word in capitals, for a while',
    'Google APIs, google.rpc.Code, 2024',
    said(400, { error: 'UNAVAILABLE' }),
    'unavailable',
    'kept'
  ],
  ['no answer', 'RFC 9112 §9.6', 'hang up', 'unavailable', 'kept'],
  ['a page of maintenance', 'RFC 6749 §5.1 wants JSON', said(200, '<html>Back soon', HTML), 'unavailable', 'kept'],
  ['a redirect', 'RFC 6749 §5.1 wants 200', said(302, '', { location: '/elsewhere' }), 'unavailable', 'kept'],
  ['nothing', 'RFC 9110 §15.3.5', said(204, ''), 'unavailable', 'kept'],
  ['half of it', 'RFC 8259 §2', said(200, '{"access_token":"x"'), 'unavailable', 'kept'],
  ['a token of another type', 'draft-ietf-oauth-v2-http-mac-05 §4', but({ token_type: 'mac' }), 'unavailable', 'kept'],
  ['a token bound to a key', 'RFC 9449 §5', but({ token_type: 'DPoP' }), 'unavailable', 'kept'],
  [
    'a successor alone',
    'RFC 6749 §5.1: the access token is required',
    but({ access_token: undefined }),
    'unavailable',
    'kept'
  ]
]

/** Somebody who has nothing to do with it: the link works, they sign in, and their account is refreshed. */
async function isServed(t: Test, providerId: string, what: string, honest: Account): Promise<void> {
  await isLetIn(t, providerId, what, 'ann')
  clock.advance(2 * HOUR_MS)
  t.match(await ask(two, honest), { status: 200 }, `${what}: somebody else is refreshed`)
}

async function isLetIn(t: Test, providerId: string, what: string, login: string): Promise<void> {
  const page = await one.app.inject({ url: `/login/${providerId}` })
  t.equal(page.statusCode, 303, `${what}: the link on the sign-in page`)
  t.match(await enter(one, providerId, login), { kind: 'signed_in' }, `${what}: somebody else signs in`)
}

/** Tries rows at the same time, each with somebody honest beside it. */
async function tryRows(t: Test, providerId: string, rows: readonly Row[]): Promise<void> {
  const cases = rows.map((row) => {
    const [name, source, speech, atExchange, atRefresh] = row
    const what = `${providerId}: ${name} (${source})`
    return { row, what, speech, atExchange, atRefresh, eve: `eve: ${name}`, ann: `ann: ${name}` }
  })
  await Promise.all(
    cases.map(async ({ row, what, speech, atExchange, eve, ann }) => {
      speakTo(eve, 'exchange', speech)
      // Five in a row open a breaker; trouble may do so, and what concerns one request may not.
      const times = atExchange === 'not tried' ? 0 : atExchange === 'signed_in' ? 1 : TROUBLE.includes(row) ? 2 : 5
      for (let i = 0; i < times; i++)
        t.match(await enter(one, providerId, eve), { kind: atExchange }, `${what}: sign-in`)
      await isLetIn(t, providerId, what, ann)
    })
  )
  speakPlainly()
  const opened = await Promise.all(
    cases.map(async (each) => {
      const [account, honest] = [await open(one, providerId, each.eve), await open(two, providerId, each.ann)]
      return { ...each, account, honest, before: (await ask(one, account)).body.accessToken }
    })
  )
  clock.advance(2 * HOUR_MS)
  const told = await Promise.all(
    opened.map(async (each) => {
      speakTo(each.eve, 'refresh', each.speech)
      const answers = await Promise.all([ask(one, each.account), ask(two, each.account)])
      t.equal((await ask(two, each.honest)).status, 200, `${each.what}: somebody else is refreshed`)
      return { ...each, answers, status: (await listed(each.account)).status }
    })
  )
  speakPlainly()
  for (const { what, answers, status, before, atRefresh } of told) {
    if (atRefresh === 'fresh') {
      t.same([...new Set(answers.map(({ status }) => status))], [200], `${what}: refresh`)
      const tokens = new Set(answers.map(({ body }) => body.accessToken))
      t.ok(tokens.size === 1 && !tokens.has(before), `${what}: one fresh token for all`)
      t.equal(status, 'connected', what)
    } else if (atRefresh === 'reconnect') {
      for (const answer of answers) t.match(answer, { status: 404, body: { error: NEEDS_RECONNECT } }, what)
      t.equal(status, 'needs_reconnect', `${what}: its owner is told`)
    } else {
      for (const answer of answers) t.equal(answer.status, 503, `${what}: refresh`)
      t.equal(status, 'connected', what)
    }
  }
  clock.advance(24 * HOUR_MS)
  await Promise.all(
    told.map(async ({ what, account, atRefresh, eve }) => {
      if (atRefresh === 'reconnect') t.match(await enter(one, providerId, eve), { kind: 'signed_in' }, `${what}: again`)
      t.equal((await ask(two, account)).status, 200, `${what}: nothing is lost`)
    })
  )
}

const TABLE = { usable: USABLE, refusals: REFUSALS, 'matters of the operator': OPERATORS, trouble: TROUBLE }

t.test('a table of dialects of the token endpoint', async (t) => {
  const rows = Object.values(TABLE).flat()
  t.ok(rows.length >= 40, `${rows.length} rows`)
  t.ok(
    rows.every(([, source]) => /§|\d{4}|null|object/.test(source)),
    'each has its source'
  )
  for (const [kind, rows] of Object.entries(TABLE)) {
    await t.test(kind, async (t) => {
      for (const providerId of ['acme', 'hub'] as const) {
        const own = rows.filter(([, , , , , only = providerId]) => only === providerId)
        // Trouble of one row after the other, for five of them in a row are an outage.
        const turns = rows === TROUBLE ? own.map((row) => [row]) : [own]
        for (const turn of turns) await tryRows(t, providerId, turn)
      }
    })
  }
})

t.test('a client that is set up wrongly is counted and logged, and nothing else is', async (t) => {
  const misconfigured = async () => {
    const { body } = await one.call('GET', '/metrics')
    return Number(
      /grantd_provider_answers_total\{provider="hub",outcome="misconfigured"\} (\d+)/.exec(String(body))?.[1]
    )
  }
  const before = await misconfigured()
  t.ok(before > 0, 'the table has shown it')
  speakTo('eve', 'exchange', said(400, { error: 'invalid_grant' }))
  await enter(one, 'hub', 'eve')
  t.equal(await misconfigured(), before)
  speakTo('eve', 'exchange', said(401, { error: 'invalid_client' }))
  lines.length = 0
  await enter(one, 'hub', 'eve')
  t.equal(await misconfigured(), before + 1)
  const line = lines.map((text) => JSON.parse(text)).find(({ level, provider }) => level === 50 && provider === 'hub')
  t.match(line, { detail: 'exchange was answered 401 (invalid_client)', msg: /PROVIDERS_FILE/ })
  speakPlainly()
})

t.test('a table of dialects of the user info', async (t) => {
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.x'
  type InfoRow = [what: string, source: string, speech: Speech, ofIssuer: string, ofPlain: string]
  const rows: InfoRow[] = [
    [
      '403 for a guest',
      'OpenID Connect Core 1.0 §5.3.3',
      said(403, { error: 'insufficient_scope' }),
      'signed_in',
      'refused'
    ],
    [
      '401',
      'RFC 6750 §3.1',
      said(401, '', { 'www-authenticate': 'Bearer error="invalid_token"' }),
      'signed_in',
      'refused'
    ],
    ['404', 'RFC 9110 §15.5.5', said(404, { message: 'Not Found' }), 'signed_in', 'refused'],
    [
      '200 with ok: false',
      'Slack, openid.connect.userInfo, 2024',
      said(200, { ok: false, error: 'x' }),
      'signed_in',
      'refused'
    ],
    [
      'signed',
      'OpenID Connect Core 1.0 §5.3.2',
      said(200, jwt, { 'content-type': 'application/jwt' }),
      'signed_in',
      'refused'
    ],
    ['a page', 'OpenID Connect Core 1.0 §5.3.2 wants JSON', said(200, '<html>', HTML), 'signed_in', 'unavailable'],
    ['no subject', 'OpenID Connect Core 1.0 §5.3.2', said(200, { name: 'x' }), 'signed_in', 'unavailable'],
    ['null for all', 'JSON null as absent', said(200, { sub: null, id: null, name: null }), 'signed_in', 'unavailable'],
    [
      'another subject',
      'OpenID Connect Core 1.0 §5.3.2',
      said(200, { sub: 'somebody else', id: 'x' }),
      'refused',
      'signed_in'
    ],
    ['503', 'RFC 9110 §15.6.4', said(503, ''), 'unavailable', 'unavailable'],
    [
      'a byte order mark',
      'RFC 8259 §8.1',
      async ({ login = '' }) => said(200, withMark(upstream.userOf(login))),
      'signed_in',
      'signed_in'
    ]
  ]
  for (const providerId of ['acme', 'hub']) {
    const honest = await open(two, providerId, 'ann')
    for (const [i, [name, source, speech, ofIssuer, ofPlain]] of rows.entries()) {
      const what = `${providerId}: ${name} (${source})`
      const expected = providerId === 'acme' ? ofIssuer : ofPlain
      const login = `guest-${i}`
      upstream.speak = async (request) => {
        if (request.login !== login) return undefined
        // Without a name in the ID token the user info is asked (§5.4).
        if (request.asked === 'exchange') return { body: await request.issue({ claims: { name: undefined } }) }
        if (request.asked !== 'user_info') return undefined
        return typeof speech === 'function' ? speech(request) : speech
      }
      const times = expected === 'unavailable' ? 2 : 5
      for (let n = 0; n < times; n++) t.match(await enter(one, providerId, login), { kind: expected }, what)
      await isServed(t, providerId, what, honest)
    }
  }
  speakPlainly()
})

t.test('a refresh that names no scope keeps those that were known', async (t) => {
  for (const [i, scope] of [undefined, null, '', ' ', [], [null], {}].entries()) {
    const account = await open(one, 'hub', `scoped-${i}`)
    clock.advance(2 * HOUR_MS)
    speakTo(`scoped-${i}`, 'refresh', but({ scope }))
    t.match(await ask(two, account), { status: 200, body: { scopes: OIDC } }, JSON.stringify(scope))
  }
  speakPlainly()
})

t.test('a name that is none has the user info asked', async (t) => {
  for (const name of [undefined, null, '', ' ']) {
    speakTo('nameless', 'exchange', async ({ issue }) => ({ body: await issue({ claims: { name } }) }))
    t.match(await enter(one, 'acme', 'nameless'), { session: { name: 'nameless by user info' } }, JSON.stringify(name))
  }
  speakPlainly()
})

t.test('a time of signing in proves something if it is of now', async (t) => {
  const nowSeconds = () => Math.floor(clock() / 1000)
  for (const [what, authTime, isFresh] of [
    ['now', () => nowSeconds(), true],
    ['by a clock that is ahead', () => nowSeconds() + 60, true],
    ['ten minutes ago', () => nowSeconds() - 600, false],
    ['tomorrow', () => nowSeconds() + 86_400, false],
    ['in milliseconds', () => clock(), false]
  ] as const) {
    const claims = { auth_time: authTime() }
    speakTo('ann', 'exchange', async ({ issue }) => ({ body: await issue({ claims }) }))
    const { url, attempt } = await one.app.core.signIn.begin('acme', { reauthenticates: true })
    const query = `${new URLSearchParams({ code: upstream.codeFor('ann', url), state: attempt.state })}`
    const expected = isFresh ? { kind: 'signed_in' } : { kind: 'refused', reason: 'not_fresh' }
    t.match(await one.app.core.signIn.finish('acme', query, attempt, BY), expected, what)
  }
  speakPlainly()
})

t.test('a verified address may be told as a text', async (t) => {
  for (const [verified, expected] of [
    [true, true],
    ['true', true],
    [false, false],
    ['false', false],
    [1, false]
  ]) {
    const login = `v-${verified}-${typeof verified}`
    const claims = { email: `${login}@a.example`, email_verified: verified }
    speakTo(login, 'exchange', async ({ issue }) => ({ body: await issue({ claims }) }))
    const { userId } = await open(one, 'acme', login)
    t.equal((await one.app.core.profiles.claims(userId, ['openid', 'email'])).isEmailVerified, expected, `${verified}`)
  }
  speakPlainly()
})

t.test('what is refused rightly names its reason in the log, and the plain endpoints are the way round', async (t) => {
  const tenant = `${upstream.origin}/9188040d/v2.0`
  const rows: [what: string, source: string, claims: object, reason: RegExp][] = [
    ['no nonce', 'LinkedIn, Sign In with LinkedIn using OpenID Connect, 2024', { nonce: undefined }, /nonce/],
    ['two audiences without azp', 'OpenID Connect Core 1.0 §3.1.3.7', { aud: ['grantd', 'other'] }, /azp|audience/],
    ['another audience', 'OpenID Connect Core 1.0 §3.1.3.7', { aud: 'other' }, /aud/],
    ['the issuer of a tenant', 'Microsoft identity platform, ID tokens, 2024', { iss: tenant }, /iss/],
    ['an issuer with a slash', 'OpenID Connect Core 1.0 §3.1.3.7', { iss: `${upstream.origin}/acme/` }, /iss/],
    ['an ID token that is over', 'OpenID Connect Core 1.0 §3.1.3.7', { exp: 1 }, /exp/],
    ['no subject', 'OpenID Connect Core 1.0 §2', { sub: undefined }, /sub/]
  ]
  const honest = await open(two, 'acme', 'ann')
  for (const [name, source, claims, reason] of rows) {
    const what = `${name} (${source})`
    const speech: Speech = async ({ issue }) => ({ body: await issue({ claims: claims as Record<string, unknown> }) })
    speakTo('eve', 'exchange', speech)
    lines.length = 0
    for (let i = 0; i < 5; i++) t.match(await enter(one, 'acme', 'eve'), { kind: 'refused' }, what)
    const told = lines.map((line) => JSON.parse(line)).filter(({ provider }) => provider === 'acme')
    t.ok(
      told.length === 5 && told.every(({ detail, level }) => reason.test(detail) && level >= 30),
      `${what}: in the log`
    )
    t.match(await enter(one, 'hub', 'eve'), { kind: 'signed_in' }, `${what}: the plain endpoints`)
    await isServed(t, 'acme', what, honest)
  }
  speakPlainly()
})

t.test('a table of dialects of the keys that sign ID tokens', async (t) => {
  const path = '/acme/jwks'
  const { keys: published } = (await (await fetch(`${upstream.origin}${path}`)).json()) as { keys: [JsonWebKey] }
  const [right] = published
  const strange = (name: string) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    return { ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: name }
  }
  const [old, other] = [strange('one'), strange('other')]
  const withoutName = { ...right, kid: undefined }
  const rows: [what: string, source: string, reply: Reply, isSignedIn?: boolean][] = [
    ['null among them', 'RFC 7517 §5', said(200, { keys: [null, right] })],
    ['what is no key among them', 'RFC 7517 §5', said(200, { keys: ['x', { kty: 'RSA', kid: 'one' }, right] })],
    ['two of one kid', 'RFC 7517 §4.5', said(200, { keys: [old, right] })],
    ['the same twice', 'RFC 7517 §4.5', said(200, { keys: [right, right] })],
    ['no kid', 'RFC 7517 §4.5: optional', said(200, { keys: [other, withoutName] })],
    ['null for what is not said', 'JSON null as absent', said(200, { keys: [{ ...right, use: null, alg: null }] })],
    ['a byte order mark', 'RFC 8259 §8.1', said(200, withMark({ keys: [right] }))],
    [
      'compressed',
      'RFC 9110 §8.4',
      said(200, gzipSync(JSON.stringify({ keys: [right] })), { 'content-encoding': 'gzip' })
    ],
    ['another alone', 'OpenID Connect Core 1.0 §3.1.3.7', said(200, { keys: [old] }), false],
    ['none', 'OpenID Connect Core 1.0 §3.1.3.7', said(200, { keys: [] }), false]
  ]
  const speakOfKeys = (reply: Reply) => {
    upstream.speak = (request) => (request.path === path ? reply : undefined)
  }
  for (const [name, source, reply, isSignedIn = true] of rows) {
    clock.advance(HOUR_MS)
    speakOfKeys(reply)
    const kind = isSignedIn ? 'signed_in' : 'refused'
    t.match(await enter(one, 'acme', 'ann'), { kind }, `${name} (${source})`)
    t.match(await enter(one, 'hub', 'ann'), { kind: 'signed_in' }, `${name}: another provider`)
  }
  for (const before of [[], [old]]) {
    clock.advance(HOUR_MS)
    speakOfKeys(said(200, { keys: before }))
    t.match(await enter(one, 'acme', 'ann'), { kind: 'refused' })
    clock.advance(60_000)
    speakOfKeys(said(200, { keys: [right] }))
    t.match(await enter(one, 'acme', 'ann'), { kind: 'signed_in' }, 'a new key is found, of the same kid too')
  }
  speakPlainly()
})

t.test('an issuer whose metadata are a template is a 400 page', async (t) => {
  const issuer = `${upstream.origin}/common`
  const template = `${upstream.origin}/{tenantid}/v2.0`
  const told: string[] = []
  const logger = { ...(loggerOptions('info') as object), stream: { write: (line: string) => told.push(line) } }
  const file = providersFile(t, [{ id: 'common', name: 'Common', ...named, issuer }, plain('hub')])
  const { app } = await startApp(t, { PUBLIC_URL, PROVIDERS_FILE: file, LIMITS: 'off' }, { testClock: clock, logger })
  upstream.speak = ({ path }) => (path.startsWith('/common/') ? { body: { issuer: template } } : undefined)
  for (let i = 0; i < 6; i++) t.equal((await app.inject({ url: '/login/common' })).statusCode, 400)
  t.ok(
    told.some((line) => /issuer does not match/.test(line)),
    'the log says why'
  )
  t.equal((await app.inject({ url: '/login/hub' })).statusCode, 303, 'the others are there')
  speakPlainly()
})

t.test('dialects of the revocation shut nothing', async (t) => {
  const honest = await open(two, 'hub', 'ann')
  const rows: [what: string, source: string, reply: Reply, isRevoked: boolean][] = [
    ['200', 'RFC 7009 §2.2', said(200, ''), true],
    ['200 with an object', 'GitLab, OAuth 2.0, 2024', said(200, {}), true],
    ['204', 'RFC 9110 §15.3.5', said(204, ''), true],
    ['400', 'RFC 7009 §2.2.1', said(400, { error: 'unsupported_token_type' }), false],
    ['200 with ok: false', 'Slack, auth.revoke, 2024', said(200, { ok: false, error: 'token_revoked' }), false],
    ['404', 'RFC 9110 §15.5.5', said(404, '<html>', HTML), false],
    ['a redirect', 'RFC 7009 §2.2 wants 200', said(302, '', { location: '/' }), false],
    ['401', 'RFC 6749 §5.2', said(401, { error: 'invalid_client' }), false],
    ['503', 'RFC 7009 §2.2.1', said(503, ''), false],
    ['no answer', 'RFC 9112 §9.6', 'hang up', false]
  ]
  for (const [i, [name, source, reply, isRevoked]] of rows.entries()) {
    for (let n = 0; n < 5; n++) {
      const account = await open(one, 'hub', `leaver-${i}-${n}`)
      speakTo(`leaver-${i}-${n}`, 'revocation', reply)
      const answer = await one.call('DELETE', `/api/v0/oauthAccounts/${account.id}`, { token: account.session })
      t.match(answer, { status: 200, body: { revoked_at_provider: isRevoked } }, `${name} (${source})`)
    }
    await isServed(t, 'hub', name, honest)
    // A breaker that trouble has opened closes.
    clock.advance(HOUR_MS)
  }
  speakPlainly()
})

t.test('one dead token shuts nothing, even if its provider fails over it', async (t) => {
  const [honest, dead] = [await open(two, 'hub', 'ann'), await open(one, 'hub', 'dead')]
  clock.advance(2 * HOUR_MS)
  speakTo('dead', 'refresh', said(500, 'broken'))
  for (let i = 0; i < 8; i++) t.equal((await ask(one, dead)).status, 503)
  t.equal((await ask(one, honest)).status, 200)
  speakPlainly()
})

t.test('the life of access tokens', async (t) => {
  const ends = async (account: Account) => {
    const { expires_at: end } = await listed(account)
    return end === null ? null : (Date.parse(end) - clock()) / 1000
  }
  const withLife = (login: string, life: unknown) => {
    upstream.speak = async ({ login: whose, issue, asked }) =>
      whose === login && asked !== 'user_info' ? { body: { ...(await issue()), expires_in: life } } : undefined
  }
  withLife('known', 1_800)
  const known = await open(one, 'hub', 'known')
  t.equal(await ends(known), 1_800)
  clock.advance(HOUR_MS)
  withLife('known', undefined)
  t.equal((await ask(two, known)).status, 200)
  t.equal(await ends(known), 1_800, 'an answer without a life keeps the last known one')
  withLife('known', 900)
  clock.advance(HOUR_MS)
  await ask(one, known)
  withLife('known', null)
  clock.advance(HOUR_MS)
  await ask(one, known)
  t.equal(await ends(known), 900)

  withLife('silent', undefined)
  t.equal(await ends(await open(one, 'hub', 'silent')), null, 'where none was ever named there is no end')
  const mute = await open(one, 'mute', 'silent')
  t.equal(await ends(mute), 7_200, 'unless the entry of the provider says so')
  clock.advance(2 * HOUR_MS)
  const before = (await listed(mute)).expires_at
  t.equal((await ask(one, mute)).status, 200)
  t.not((await listed(mute)).expires_at, before)
  t.equal(await ends(mute), 7_200)
  withLife('silent', 600)
  await open(one, 'mute', 'silent')
  t.equal(await ends(mute), 600, 'what an answer says counts more')
  speakPlainly()
})

t.test('a back end says that the provider refused the token', async (t) => {
  const { text: key } = await one.app.core.apiKeys.create('acme', { rights: ['connected-accounts'] }, BY)
  const account = await open(one, 'hub', 'refused-early')
  const askAs = (service: TestApp, query: string) => ask(service, { ...account, session: key }, query)
  const first = (await askAs(one, '')).body.accessToken
  t.equal((await askAs(one, '?refused=true')).body.accessToken, first, 'a token of the last minute is fresh')
  clock.advance(60_000)
  t.equal((await askAs(one, '')).body.accessToken, first, 'whoever says nothing gets what there is')
  t.equal((await askAs(one, '?refused=false')).body.accessToken, first)
  const answers = await Promise.all([one, two, one, two].map((service) => askAs(service, '?refused=true')))
  const fresh = new Set(answers.map(({ body }) => body.accessToken))
  t.ok(fresh.size === 1 && !fresh.has(first), 'one fresh token for all who say so')
  t.same(
    await askAs(two, '?refused=true').then(({ body }) => body.accessToken),
    [...fresh][0],
    'and no other within a minute'
  )

  clock.advance(60_000)
  speakTo('refused-early', 'refresh', said(503, ''))
  t.equal((await askAs(one, '?refused=true')).status, 503, 'the refused one is not handed out again')
  t.match(await askAs(two, '?refused=true'), { status: 429, headers: { 'retry-after': 60 } })
  t.equal((await askAs(two, '')).body.accessToken, [...fresh][0])
  speakPlainly()
  clock.advance(60_000)
  t.notOk(fresh.has((await askAs(two, '?refused=true')).body.accessToken))
  for (const query of ['?refused=', '?refused=x', '?refused=true&refused=true']) {
    t.equal((await askAs(one, query)).status, 400, query)
  }
})

t.test('a sign-in during a refresh that brings no refresh token leaves the successor in use', async (t) => {
  const account = await open(one, 'hub', 'busy')
  clock.advance(2 * HOUR_MS)
  let letGo = () => {}
  const gone = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let isAsked = false
  speakTo('busy', 'exchange', but({ refresh_token: undefined }))
  speakTo('busy', 'refresh', async ({ issue }) => {
    const body = await issue()
    isAsked = true
    await gone
    return { body }
  })
  const waiting = ask(one, account)
  while (!isAsked) await turn()
  t.match(await enter(two, 'hub', 'busy'), { kind: 'signed_in' })
  const signedIn = (await ask(two, account)).body.accessToken
  letGo()
  t.equal((await waiting).body.accessToken, signedIn, 'the token of the sign-in is as good')
  speakPlainly()
  clock.advance(2 * HOUR_MS)
  t.match(await ask(two, account), { status: 200 })
})

t.test('a disconnect during a refresh revokes the new tokens as well', async (t) => {
  for (const isSuccessor of [true, false]) {
    const account = await open(one, 'hub', `leaving-${isSuccessor}`)
    clock.advance(2 * HOUR_MS)
    let letGo = () => {}
    const gone = new Promise<void>((resolve) => {
      letGo = resolve
    })
    let issued: Record<string, unknown> | undefined
    let isAsked = false
    speakTo(`leaving-${isSuccessor}`, 'refresh', async ({ issue }) => {
      issued = await issue()
      isAsked = true
      await gone
      return { body: { ...issued, ...(!isSuccessor && { refresh_token: undefined }) } }
    })
    const waiting = ask(one, account)
    while (!isAsked) await turn()
    const answer = await two.call('DELETE', `/api/v0/oauthAccounts/${account.id}`, { token: account.session })
    t.equal(answer.status, 200)
    letGo()
    t.equal((await waiting).status, 404)
    const token = String(isSuccessor ? issued?.refresh_token : issued?.access_token)
    t.ok(upstream.revoked.has(token), isSuccessor ? 'the new refresh token' : 'the access token, which is all there is')
    t.equal(await redis.client.exists(`grantd:account:{${account.userId}}:${account.id}`), 0)
  }
  speakPlainly()
})

/** What a provider documents: what its answers have that the specifications do not say, and what they leave out. */
interface Documented {
  auth: 'post' | 'basic'
  /** Members of both answers; undefined leaves one out. */
  answer: object
  /** Members of the answer to a refresh that differ; undefined where there is no refresh. */
  refreshed: object | undefined
  rotates?: boolean
  claims?: Record<string, unknown>
  user?: Record<string, unknown>
  dead?: Reply
  /** What it says of a code that is none. */
  refusal?: Reply
  lifeSeconds: number | null
  scopes: string[]
  account: [subject: string, username: string, name: string]
}

const ann = { name: 'Ann', email: 'ann@a.example', email_verified: true }
const noIdToken = { id_token: undefined }
const noRefresh = { refresh_token: undefined }
const invalidGrant = (error_description: string, more: object = {}) =>
  said(400, { error: 'invalid_grant', error_description, ...more })
const withOffline = 'openid profile email offline_access'

const DOCUMENTED: Record<string, Documented> = {
  github: {
    ...{ auth: 'post', lifeSeconds: null, scopes: ['read:user'], account: ['583231', 'octocat', 'octocat'] },
    ...{ answer: { ...noIdToken, ...noRefresh, expires_in: undefined, scope: 'read:user', token_type: 'bearer' } },
    user: { login: 'octocat', id: 583231, node_id: 'x', type: 'User', name: null, email: null },
    refreshed: undefined,
    refusal: said(200, {
      error: 'bad_verification_code',
      error_description: 'The code passed is incorrect or expired.'
    })
  },
  google: {
    ...{ auth: 'basic', lifeSeconds: 3_599, scopes: ['openid', 'https://www.googleapis.com/auth/userinfo.email'] },
    ...{ account: ['ann', 'ann@a.example', 'Ann'], claims: { ...ann, azp: 'grantd' }, rotates: false },
    answer: { expires_in: 3_599, scope: 'openid https://www.googleapis.com/auth/userinfo.email' },
    refreshed: noRefresh,
    dead: invalidGrant('Token has been expired or revoked.')
  },
  microsoft: {
    ...{ auth: 'basic', lifeSeconds: 3_599, scopes: OIDC, account: ['ann', 'ann@a.example', 'Ann'] },
    claims: { name: 'Ann', preferred_username: 'ann@a.example', oid: 'x', tid: 'y', ver: '2.0' },
    ...{ answer: { expires_in: 3_599, ext_expires_in: 3_599 }, refreshed: {} },
    dead: invalidGrant('AADSTS700082: The refresh token has expired.', { error_codes: [700082], suberror: 'bad_token' })
  },
  'microsoft-any': {
    ...{ auth: 'post', lifeSeconds: 3_599, scopes: OIDC, account: ['ann', 'ann@a.example', 'Ann'] },
    claims: { iss: 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', nonce: undefined },
    user: { sub: 'ann', ...ann, picture: 'https://graph.microsoft.com/v1.0/me/photo/$value' },
    ...{ answer: { expires_in: 3_599, ext_expires_in: 3_599 }, refreshed: {} },
    dead: invalidGrant('AADSTS50173: The provided grant has expired.', { error_codes: [50173] })
  },
  linkedin: {
    ...{ auth: 'post', lifeSeconds: 5_184_000, scopes: ['email', 'openid', 'profile'] },
    ...{ account: ['782bbtaQ', 'ann@a.example', 'Ann'], claims: { nonce: undefined } },
    user: { sub: '782bbtaQ', ...ann, locale: { country: 'US', language: 'en' } },
    answer: { ...noRefresh, expires_in: 5_184_000, scope: 'email,openid,profile' },
    refreshed: undefined
  },
  slack: {
    ...{ auth: 'post', lifeSeconds: null, scopes: [], account: ['ann', 'ann@a.example', 'Ann'] },
    claims: { ...ann, 'https://slack.com/team_id': 'T0R7GR', 'https://slack.com/user_id': 'U0R7JM' },
    answer: { ok: true, ...noRefresh, expires_in: undefined, scope: undefined },
    refreshed: undefined,
    refusal: said(200, { ok: false, error: 'invalid_code' })
  },
  discord: {
    ...{
      auth: 'basic',
      lifeSeconds: 604_800,
      scopes: ['identify', 'email'],
      account: ['80351110224678912', 'nelly', 'Nelly']
    },
    user: {
      id: '80351110224678912',
      username: 'nelly',
      global_name: 'Nelly',
      email: 'nelly@a.example',
      verified: true
    },
    answer: { ...noIdToken, expires_in: 604_800, scope: 'identify email' },
    refreshed: {},
    dead: invalidGrant('Invalid "refresh_token" in request.')
  },
  salesforce: {
    ...{ auth: 'post', lifeSeconds: 7_200, scopes: ['refresh_token', ...OIDC], rotates: false },
    ...{ account: ['https://login.salesforce.com/id/00Dx/005x', 'ann@a.example', 'Ann'] },
    claims: { sub: 'https://login.salesforce.com/id/00Dx/005x', name: undefined, is_app_installed: true },
    user: {
      sub: 'https://login.salesforce.com/id/00Dx/005x',
      user_id: '005x',
      ...ann,
      preferred_username: 'ann@a.example'
    },
    answer: {
      ...{
        expires_in: undefined,
        scope: 'refresh_token openid profile email',
        signature: 'x',
        issued_at: '1278448384422'
      },
      instance_url: 'https://acme.my.salesforce.com'
    },
    refreshed: noRefresh,
    dead: invalidGrant('expired access/refresh token')
  },
  atlassian: {
    ...{
      auth: 'post',
      lifeSeconds: 3_600,
      scopes: ['read:me', 'offline_access'],
      account: ['112233aa', 'ann@a.example', 'Ann']
    },
    user: {
      account_type: 'atlassian',
      account_id: '112233aa',
      email: 'ann@a.example',
      name: 'Ann',
      account_status: 'active'
    },
    answer: { ...noIdToken, scope: 'read:me offline_access' },
    refreshed: { token_type: undefined },
    dead: said(403, { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' })
  },
  keycloak: {
    ...{ auth: 'basic', lifeSeconds: 300, scopes: OIDC, account: ['ann', 'ann', 'Ann'] },
    claims: { ...ann, preferred_username: 'ann', typ: 'ID', azp: 'grantd', acr: '1', sid: 'x' },
    answer: { expires_in: 300, refresh_expires_in: 0, 'not-before-policy': 0, session_state: 'x' },
    refreshed: {},
    dead: invalidGrant('Session not active')
  },
  okta: {
    ...{
      auth: 'basic',
      lifeSeconds: 3_600,
      scopes: [...OIDC, 'offline_access'],
      account: ['ann', 'ann@a.example', 'Ann']
    },
    ...{ claims: { name: undefined, ver: 1, amr: ['pwd'], idp: 'x', at_hash: 'x' }, answer: { scope: withOffline } },
    user: { sub: 'ann', ...ann, preferred_username: 'ann@a.example', zoneinfo: 'America/Los_Angeles', updated_at: 1 },
    refreshed: {},
    dead: invalidGrant('The refresh token is invalid or expired.')
  },
  gitlab: {
    ...{ auth: 'basic', lifeSeconds: 7_200, scopes: OIDC, account: ['ann', 'ann', 'Ann'] },
    claims: { ...ann, nickname: 'ann', preferred_username: 'ann', sub_legacy: 'x', groups_direct: [] },
    answer: { expires_in: 7_200, created_at: 1_700_000_000 },
    refreshed: {},
    dead: invalidGrant('The provided authorization grant is invalid, expired, revoked, …')
  }
}

t.test('the entries of docs/providers.md work at providers that answer as they document', async (t) => {
  const page = readFileSync(inRoot('docs/providers.md'), 'utf8')
  const entries = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json = '']) => JSON.parse(json))
  t.same(entries.map(({ id }) => id).sort(), Object.keys(DOCUMENTED).sort(), 'every entry is tried')
  t.doesNotThrow(() => loadConfig({ PROVIDERS_FILE: providersFile(t, entries) }), 'the file as it is')
  for (const { id } of entries)
    t.match(page, new RegExp(`"id": "${id}"[\\s\\S]*?Documents: [\\s\\S]*?20\\d\\d\\)`), `${id} cites`)

  const moved = entries.map((entry) => {
    const base = `${upstream.origin}/${entry.id}`
    const urls = ['issuer', 'authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'revocation_endpoint']
    const own = urls.filter((name) => entry[name]).map((name) => [name, name === 'issuer' ? base : `${base}/${name}`])
    return { ...entry, ...Object.fromEntries(own), client_id: 'grantd' }
  })
  const PROVIDERS_FILE = providersFile(t, moved)
  const service = await startApp(t, { PUBLIC_URL, PROVIDERS_FILE, LIMITS: 'off' }, { testClock: clock })
  const { connections } = service.app.core
  for (const [id, documented] of Object.entries(DOCUMENTED)) {
    const { answer, refreshed, rotates = true, claims = {}, user, dead, refusal } = documented
    let isDead = false
    upstream.speak = async ({ asked, form, issue, login }) => {
      if (asked === 'user_info') return user && { body: user }
      if (asked !== 'exchange' && asked !== 'refresh') return undefined
      t.equal(form.has('client_secret'), documented.auth === 'post', `${id}: authentication`)
      // LinkedIn (2024) takes a code verifier for wrong credentials.
      if (id === 'linkedin' && form.has('code_verifier')) return said(401, { error: 'invalid_client' })
      if (login === undefined && refusal) return refusal
      if (asked === 'refresh' && isDead) return dead
      const issued = await issue({ claims, rotates })
      if (!issued) return undefined
      const { id_token: _unneeded, ...rest } = issued
      return { body: asked === 'exchange' ? { ...issued, ...answer } : { ...rest, ...answer, ...refreshed } }
    }
    const outcome = await enter(service, id, 'ann')
    if (!('session' in outcome)) {
      t.fail(`${id}: ${JSON.stringify(outcome)}`)
      continue
    }
    const { userId, name } = outcome.session
    const [account] = await connections.list(userId)
    const { subject = '', username = '', scopes, expiresAtMs, id: accountId = '' } = account ?? {}
    t.same([subject, username, name], documented.account, `${id}: who it is`)
    t.same(scopes, documented.scopes, `${id}: scopes`)
    t.equal(expiresAtMs === undefined ? null : (expiresAtMs - clock()) / 1000, documented.lifeSeconds, `${id}: life`)

    const attempt = await service.app.core.signIn.begin(id, { reauthenticates: false })
    const madeUp = `${new URLSearchParams({ code: 'made up', state: attempt.attempt.state })}`
    t.match(
      await service.app.core.signIn.finish(id, madeUp, attempt.attempt, BY),
      { kind: 'refused' },
      `${id}: a made-up code`
    )

    const first = await connections.vend(accountId, { kind: 'api_key' })
    t.match(first, { kind: 'token' }, id)
    clock.advance(100 * 24 * HOUR_MS)
    for (let i = 0; refreshed && i < 2; i++) {
      const fresh = await connections.vend(accountId, { kind: 'api_key' })
      t.ok(
        fresh.kind === 'token' && first.kind === 'token' && fresh.accessToken !== first.accessToken,
        `${id}: refresh`
      )
      clock.advance(100 * 24 * HOUR_MS)
    }
    isDead = true
    const last = await connections.vend(accountId, { kind: 'api_key' })
    t.equal(last.kind, documented.lifeSeconds === null ? 'token' : 'needs_reconnect', `${id}: the end`)
  }
  speakPlainly()
})
