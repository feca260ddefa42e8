/**
 * Sign-in at upstreams: which callbacks are accepted and which are forged, how long users stay signed in, and what
 * happens while an upstream is in trouble.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Attempt } from '../../../src/core/upstream/sign-in-attempt.js'
import type { SignInOutcome } from '../../../src/core/users/sign-in.js'
import { startApp, type TestApp } from '../../support/app.js'
import { BY } from '../../support/audit.js'
import { startIdentityProvider, TOKEN_ENDPOINT } from '../../support/oidc-upstream.js'
import { PLAIN_TOKEN_ENDPOINT, PLAIN_USER_INFO, startPlainProvider } from '../../support/plain-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { beginAt, connectAt, providersFile, signInAt, type Visit, visitProvider } from '../../support/sign-in.js'
import { snapshot } from '../../support/snapshot.js'
import { type Gate, json, type Passage, text } from '../../support/upstream-gate.js'

const PUBLIC_URL = 'https://grants.example'
const MINUTE_MS = 60_000
const UNAVAILABLE = { name: 'Fault', code: 'unavailable' }
const INVALID_REQUEST = { name: 'Fault', code: 'invalid_request' }

const redis = await startRedis()
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const corp = await startIdentityProvider(t, { publicUrl: PUBLIC_URL, id: 'corp' })
const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })
t.teardown(() => redis.stop())

async function setUp(t: Test, variables: Record<string, string> = {}): Promise<TestApp> {
  const entries = [acme.entry({ authorization_parameters: { max_age: '86400' } }), corp.entry(), hub.entry()]
  const defaults = { PUBLIC_URL, SIGNING_ALG: 'EdDSA', PROVIDERS_FILE: providersFile(t, entries) }
  return startApp(t, { ...defaults, ...variables })
}

async function setUpOverRedis(t: Test, variables: Record<string, string> = {}): Promise<TestApp> {
  await redis.client.flushall()
  return setUp(t, { REDIS_URL: redis.url, ...variables })
}

function signedIn(outcome: SignInOutcome) {
  if (outcome.kind !== 'signed_in') throw new Error(`not signed in: ${outcome.reason}`)
  return outcome
}

/** Sends requests to this path of an upstream through the passage for the rest of the test. */
function during(t: Test, gate: Gate, path: string, passage: Passage): void {
  t.teardown(() => gate.at(path))
  gate.at(path, passage)
}

t.test('what the browser is sent to the provider with', async (t) => {
  const { app } = await setUp(t)
  const { url, attempt } = await app.core.signIn.begin('acme', { reauthenticates: false })
  const { code_challenge: challenge, ...rest } = Object.fromEntries(url.searchParams)
  t.equal(`${url.origin}${url.pathname}`, `${acme.origin}/auth`)
  t.strictSame(rest, {
    client_id: 'grantd',
    code_challenge_method: 'S256',
    max_age: '86400',
    nonce: attempt.nonce,
    redirect_uri: `${PUBLIC_URL}/login/acme/callback`,
    response_type: 'code',
    scope: 'openid profile email',
    state: attempt.state
  })
  t.match(challenge, /^[\w-]{43}$/)
  t.notOk(url.href.includes(attempt.codeVerifier), 'the verifier stays here')
  const again = await app.core.signIn.begin('acme', { reauthenticates: true })
  t.match(Object.fromEntries(again.url.searchParams), { prompt: 'login', max_age: '0' }, 'who has to prove it again')
  for (const name of ['state', 'nonce', 'codeVerifier'] as const) {
    t.match(attempt[name], /^[\w-]{43}$/)
    t.not(again.attempt[name], attempt[name], `another ${name} each time`)
  }
  const plain = (await app.core.signIn.begin('hub', { reauthenticates: false })).url.searchParams
  t.strictSame(
    [plain.get('scope'), plain.get('nonce'), plain.get('code_challenge_method')],
    ['repo read:user', null, 'S256']
  )
  t.same(
    app.core.signIn.upstreams.map(({ id }) => id),
    ['acme', 'corp', 'hub'],
    'in the operator’s order'
  )
  t.equal(app.core.signIn.upstream('nobody'), undefined)
})

/** Makes a forged callback out of a valid one and another valid one of the same upstream. */
type Forgery = (right: Visit, other: Visit) => Visit

function spoilt(
  spoil: (query: URLSearchParams, other: URLSearchParams) => void,
  attempt: Partial<Attempt> = {}
): Forgery {
  return (right, other) => {
    const query = new URLSearchParams(right.query)
    spoil(query, new URLSearchParams(other.query))
    return { query: query.toString(), attempt: { ...right.attempt, ...attempt } }
  }
}
const twice = (name: string) => spoilt((query) => query.append(name, query.get(name) ?? ''))
const without = (name: string) => spoilt((query) => query.delete(name))
const withParameter = (name: string, value: string) => spoilt((query) => query.set(name, value))
const errorOnly = (error: string, more: Record<string, string> = {}) =>
  spoilt((query) => {
    query.delete('code')
    for (const [name, value] of Object.entries({ error, ...more })) query.set(name, value)
  })

/** Forgeries that fit every kind of upstream. */
const FORGERIES: Record<string, Forgery> = {
  'another state': withParameter('state', 'x'.repeat(43)),
  'an empty state': withParameter('state', ''),
  'no state': without('state'),
  'the state twice': twice('state'),
  'no code': without('code'),
  'an empty code': withParameter('code', ''),
  'a code nobody issued': withParameter('code', 'x'.repeat(43)),
  'a code of control characters': withParameter('code', '\u0000\r\n'),
  'a very long code': withParameter('code', 'x'.repeat(8_000)),
  'the code twice': twice('code'),
  'the code of another attempt': spoilt((query, other) => query.set('code', other.get('code') ?? '')),
  'the answer to another attempt': (right, other) => ({ query: other.query, attempt: right.attempt }),
  'another verifier': spoilt(() => {}, { codeVerifier: 'x'.repeat(43) }),
  'a code and an error': withParameter('error', 'access_denied'),
  'an ID token of its own': withParameter('id_token', 'x.y.z'),
  'an access token of its own': withParameter('token', 'x'),
  'a signed response of its own': withParameter('response', 'x.y.z'),
  'nothing at all': ({ attempt }) => ({ query: '', attempt }),
  'something unreadable': ({ attempt }) => ({ query: '%&=&%zz=%', attempt }),
  'a refusal of another attempt': errorOnly('access_denied', { state: 'x'.repeat(43) }),
  'an error': errorOnly('invalid_scope'),
  'an error nobody has heard of': errorOnly('<script>', { error_description: '<script>' })
}
const ONLY_OF_ISSUERS: Record<string, Forgery> = {
  'another issuer': withParameter('iss', 'https://evil.example'),
  'the issuer of another provider': withParameter('iss', corp.origin),
  'no issuer': without('iss'),
  'the issuer twice': twice('iss'),
  'another nonce': spoilt(() => {}, { nonce: 'x'.repeat(43) })
}

for (const [providerId, forgeries] of [
  ['acme', { ...FORGERIES, ...ONLY_OF_ISSUERS }],
  ['hub', FORGERIES]
] as const) {
  t.test(`nobody is signed in, or connected, by a forged callback of ${providerId}`, async (t) => {
    const { app } = await setUpOverRedis(t)
    const { session } = signedIn(await signInAt(app, providerId, 'somebody'))
    const before = await snapshot(redis)
    for (const [what, forge] of Object.entries(forgeries)) {
      const make = async () => forge(await beginAt(app, providerId, 'ann'), await beginAt(app, providerId, 'eve'))
      const one = await make()
      const reason = what.startsWith('an error') ? 'failed' : 'invalid'
      t.same(await app.core.signIn.finish(providerId, one.query, one.attempt, BY), { kind: 'refused', reason }, what)
      const other = await make()
      const outcome = await app.core.signIn.finishConnecting(providerId, other.query, other.attempt, session.userId, BY)
      t.same(outcome, { kind: 'refused', reason }, `${what}, connecting`)
    }
    t.same(await snapshot(redis), before, 'nothing is kept')
    t.match(await signInAt(app, providerId, 'ann'), { kind: 'signed_in' }, 'and a right one goes on')
  })
}

t.test('a person who refuses at the provider is told apart from a forgery', async (t) => {
  const { app } = await setUpOverRedis(t)
  const before = await snapshot(redis)
  t.same(await signInAt(app, 'acme', 'ann', { action: 'refuse' }), { kind: 'refused', reason: 'denied' })
  const { query, attempt } = errorOnly('access_denied')(
    await beginAt(app, 'hub', 'ann'),
    await beginAt(app, 'hub', 'eve')
  )
  t.same(await app.core.signIn.finish('hub', query, attempt, BY), { kind: 'refused', reason: 'denied' })
  t.same(await snapshot(redis), before, 'nothing is kept')
})

t.test('a callback is good once, and at the provider it came from', async (t) => {
  const { app } = await setUpOverRedis(t)
  const right = await beginAt(app, 'acme', 'ann')
  const before = await snapshot(redis)
  for (const elsewhere of ['corp', 'hub']) {
    t.same(
      await app.core.signIn.finish(elsewhere, right.query, right.attempt, BY),
      { kind: 'refused', reason: 'invalid' },
      elsewhere
    )
  }
  for (const from of ['corp', 'hub']) {
    const other = await beginAt(app, from, 'ann')
    t.same(
      await app.core.signIn.finish('acme', other.query, other.attempt, BY),
      { kind: 'refused', reason: 'invalid' },
      from
    )
  }
  t.same(await snapshot(redis), before, 'nothing is kept')
  t.match(await app.core.signIn.finish('acme', right.query, right.attempt, BY), { kind: 'signed_in' })
  const after = await snapshot(redis)
  t.same(
    await app.core.signIn.finish('acme', right.query, right.attempt, BY),
    { kind: 'refused', reason: 'invalid' },
    'again'
  )
  t.same(await snapshot(redis), after)
})

t.test('no browser can make a provider look as if it were in trouble', async (t) => {
  const forgeries: Record<string, Forgery> = {
    ...FORGERIES,
    ...ONLY_OF_ISSUERS,
    'an error of the server': errorOnly('server_error'),
    'an error that will go away': errorOnly('temporarily_unavailable')
  }
  const { app, clock } = await setUp(t)
  for (const providerId of ['acme', 'hub']) {
    for (const [what, forge] of Object.entries(forgeries)) {
      const { query, attempt } = forge(await beginAt(app, providerId, 'eve'), await beginAt(app, providerId, 'eve'))
      for (let i = 0; i < 6; i++) await app.core.signIn.finish(providerId, query, attempt, BY).catch(() => {})
      const next = await signInAt(app, providerId, 'ann').catch((error) => error)
      t.match(next, { kind: 'signed_in' }, `${providerId}: ${what}`)
      // Any pause that this forgery has caused ends before the next one.
      clock.advance(6 * MINUTE_MS)
    }
  }
})

t.test('who has to prove again who they are', async (t) => {
  const { app, clock } = await setUp(t)
  t.match(await signInAt(app, 'acme', 'ann', { reauthenticates: true }), { kind: 'signed_in' })
  t.same(
    await signInAt(app, 'hub', 'ann', { reauthenticates: true }),
    { kind: 'refused', reason: 'not_fresh' },
    'is not believed by a provider that cannot tell'
  )
  t.match(await signInAt(app, 'hub', 'ann'), { kind: 'signed_in' })
  const visit = await beginAt(app, 'acme', 'ann')
  const finish = () => app.core.signIn.finish('acme', visit.query, { ...visit.attempt, reauthenticates: true }, BY)
  clock.advance(6 * MINUTE_MS)
  t.same(await finish(), { kind: 'refused', reason: 'not_fresh' }, 'has not, when the provider says it was long ago')
  const later = await beginAt(app, 'acme', 'ann')
  t.match(
    await app.core.signIn.finish('acme', later.query, later.attempt, BY),
    { kind: 'signed_in' },
    'else that does not matter'
  )
})

t.test('a provider that tells no auth_time is believed where its entry says that it always asks again', async (t) => {
  const silent = { reauthentication_parameters: {} }
  const start = (more: object) =>
    startApp(t, {
      ...{ PUBLIC_URL, SIGNING_ALG: 'EdDSA' },
      PROVIDERS_FILE: providersFile(t, [corp.entry({ ...silent, ...more }), hub.entry(more)])
    })
  const [strict, lenient] = [await start({}), await start({ always_reauthenticates: true })]
  for (const id of ['corp', 'hub']) {
    const notFresh = { kind: 'refused', reason: 'not_fresh' }
    t.same(await signInAt(strict.app, id, 'ann', { reauthenticates: true }), notFresh, id)
    t.match(await signInAt(strict.app, id, 'ann'), { kind: 'signed_in' }, `${id}, who need not`)
    t.match(await signInAt(lenient.app, id, 'ann', { reauthenticates: true }), { kind: 'signed_in' }, id)
  }
  const told = await startApp(t, {
    ...{ PUBLIC_URL, SIGNING_ALG: 'EdDSA' },
    PROVIDERS_FILE: providersFile(t, [corp.entry({ always_reauthenticates: true })])
  })
  const visit = await beginAt(told.app, 'corp', 'ann', { reauthenticates: true })
  told.clock.advance(6 * MINUTE_MS)
  const late = await told.app.core.signIn.finish('corp', visit.query, visit.attempt, BY)
  t.same(late, { kind: 'refused', reason: 'not_fresh' }, 'and what it does tell counts all the same')
})

t.test('an ID token counts with the signature of its issuer alone', async (t) => {
  const { app } = await setUpOverRedis(t)
  const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const read = (text = '') => JSON.parse(Buffer.from(text, 'base64url').toString())
  const forgeries: Record<string, (parts: string[]) => string> = {
    'another subject': ([head, body, signature]) => `${head}.${part({ ...read(body), sub: 'eve' })}.${signature}`,
    'another key': ([head, body]) =>
      `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), otherKey).toString('base64url')}`,
    'no signature': ([head, body]) => `${head}.${body}.`,
    'a key nobody published': ([head, body, signature]) =>
      `${part({ ...read(head), kid: 'nobody' })}.${body}.${signature}`,
    'no algorithm': ([head, body]) => `${part({ ...read(head), alg: 'none' })}.${body}.`
  }
  const before = await snapshot(redis)
  for (const [what, forge] of Object.entries(forgeries)) {
    const { query, attempt } = await beginAt(app, 'corp', 'ann')
    during(t, corp, TOKEN_ENDPOINT, async ({ ask }) => {
      const reply = await ask()
      const answer = JSON.parse(reply.body.toString())
      return { ...reply, body: JSON.stringify({ ...answer, id_token: forge(answer.id_token.split('.')) }) }
    })
    const outcome = await app.core.signIn.finish('corp', query, attempt, BY).catch((fault) => fault)
    t.not(outcome.kind, 'signed_in', what)
    corp.at(TOKEN_ENDPOINT)
  }
  t.same(await snapshot(redis), before, 'nothing is kept')
  t.match(await signInAt(app, 'acme', 'ann'), { kind: 'signed_in' }, 'and a right one goes on')
})

t.test('what a person is called', async (t) => {
  const { app } = await setUp(t)
  const { claimsOf } = acme
  const { userOf } = hub
  t.teardown(() => Object.assign(acme, { claimsOf, claimsInIdToken: true }))
  t.teardown(() => Object.assign(hub, { userOf }))
  const calledAt = async (providerId: string, login: string) => {
    const { session } = signedIn(await signInAt(app, providerId, login))
    return [session.name, (await app.core.connections.list(session.userId))[0]?.username]
  }

  const long = 'x'.repeat(300)
  for (const [claims, name, username] of [
    [{ name: 'Ann', preferred_username: 'ann', email: 'ann@a.example' }, 'Ann', 'ann'],
    [{ preferred_username: 'ann', email: 'ann@a.example' }, 'ann', 'ann'],
    [{ email: 'ann@a.example' }, 'ann@a.example', 'ann@a.example'],
    [{ name: 'Ann' }, 'Ann', 'subject'],
    [{}, 'subject', 'subject'],
    [{ name: ' ', preferred_username: '' }, 'subject', 'subject'],
    [{ name: 5, preferred_username: ['x'], email: {} }, 'subject', 'subject'],
    [{ name: long, preferred_username: long }, 'x'.repeat(255), 'x'.repeat(255)],
    [{ name: `${'x'.repeat(254)}😀y` }, `${'x'.repeat(254)}😀`, 'subject'],
    [{ name: 'half \ud83d' }, 'half \ufffd', 'subject']
  ] as const) {
    acme.claimsOf = () => ({ sub: 'subject', ...claims })
    t.same(await calledAt('acme', 'subject'), [name, username], JSON.stringify(claims).slice(0, 60))
  }
  acme.claimsOf = claimsOf
  acme.claimsInIdToken = false
  t.same(await calledAt('acme', 'zoe'), ['zoe at acme', 'zoe'], 'also where the user info alone tells')

  for (const [info, name, username] of [
    [{ id: 7, login: 'ann', name: 'Ann' }, 'Ann', 'ann'],
    [{ id: 7, login: 'ann', name: null }, 'ann', 'ann'],
    [{ id: 'seven' }, 'seven', 'seven']
  ] as const) {
    hub.userOf = () => info
    t.same(await calledAt('hub', 'ann'), [name, username], JSON.stringify(info))
  }
  for (const id of [undefined, null, '', {}, true, 1.5, 2 ** 53, 'x'.repeat(256)]) {
    hub.userOf = () => ({ id, login: 'ann' })
    const fresh = await setUp(t)
    await t.rejects(signInAt(fresh.app, 'hub', 'ann'), UNAVAILABLE, `no id: ${String(id).slice(0, 20)}`)
  }
})

for (const [engine, start] of Object.entries({ memory: setUp, Redis: setUpOverRedis })) {
  t.test(`sessions in ${engine}`, async (t) => {
    const variables = { SESSION_IDLE_SECONDS: '600', SESSION_TTL_SECONDS: '3600' }
    const begin = async (t: Test) => {
      const { app, clock } = await start(t, variables)
      return { ...(await app.core.signIn.asTyped('ann', BY)), sessions: app.core.browserSessions, app, clock }
    }

    t.test('a session ends when it was not used for a while', async (t) => {
      const { sessions, token, clock } = await begin(t)
      for (let i = 0; i < 4; i++) {
        clock.advance(10 * MINUTE_MS - 1)
        t.match(
          await sessions.use(token),
          { userId: 'ann', name: 'ann', lastUsedAtMs: clock() },
          'the last millisecond'
        )
      }
      clock.advance(10 * MINUTE_MS)
      t.equal(await sessions.use(token), undefined)
    })

    t.test('a session ends so long after sign-in, however much it is used', async (t) => {
      const { sessions, session, token, clock } = await begin(t)
      for (let i = 0; i < 11; i++) {
        clock.advance(5 * MINUTE_MS)
        t.match(await sessions.use(token), { userId: 'ann', signedInAtMs: session.signedInAtMs })
      }
      clock.advance(5 * MINUTE_MS - 1)
      t.match(await sessions.use(token), { userId: 'ann' }, 'the last millisecond')
      clock.advance(1)
      t.equal(await sessions.use(token), undefined)
    })

    t.test('a use is noted at most once a minute', async (t) => {
      const { sessions, session, token, clock } = await begin(t)
      clock.advance(MINUTE_MS - 1)
      t.equal((await sessions.use(token))?.lastUsedAtMs, session.lastUsedAtMs)
      clock.advance(1)
      t.equal((await sessions.use(token))?.lastUsedAtMs, clock())
    })

    t.test('a session that is ended is over from the next request on, and no other is', async (t) => {
      const { app, sessions, session, token } = await begin(t)
      const other = await app.core.signIn.asTyped('ann', BY)
      await sessions.end(session)
      t.equal(await sessions.use(token), undefined)
      await sessions.end(session)
      t.match(await sessions.use(other.token), { userId: 'ann' })
    })

    t.test('each sign-in has a token that nobody had before', async (t) => {
      const { app } = await start(t, variables)
      const tokens = new Set<string>()
      for (let i = 0; i < 3; i++) tokens.add(signedIn(await signInAt(app, 'acme', 'ann')).token)
      t.equal(tokens.size, 3)
      for (const token of tokens) t.match(token, /^[\w-]{43}$/)
    })

    t.test('what is no token of a session is none', async (t) => {
      const { sessions, session, token } = await begin(t)
      const others = [
        '',
        'x',
        session.id,
        `${token}=`,
        token.slice(1),
        `${token.slice(1)}x`,
        token.toUpperCase(),
        '*',
        '__proto__'
      ]
      for (const other of others) t.equal(await sessions.use(other), undefined, JSON.stringify(other))
      t.match(await sessions.use(token), { userId: 'ann' })
    })
  })
}

t.test('a session in Redis is found by a digest, and goes by itself', async (t) => {
  const { app, clock } = await setUpOverRedis(t, { SESSION_IDLE_SECONDS: '600', SESSION_TTL_SECONDS: '900' })
  const begunAt = performance.now()
  const { token, session } = await app.core.signIn.asTyped('ann', BY)
  const [key = ''] = await redis.client.keys('grantd:session:*:session')
  t.equal(key, `grantd:session:{${session.id}}:session`)
  const content = JSON.stringify([await redis.client.keys('*'), await redis.client.hgetall(key)])
  t.ok(content.includes('ann') && !content.includes(token), 'the token is in the browser alone')
  /** Whether it goes after this time, less what has passed in this test. */
  const goesAfter = async (ms: number) => {
    const passedMs = ms - (await redis.client.pttl(key))
    return passedMs >= 0 && passedMs <= performance.now() - begunAt + 1
  }
  t.ok(await goesAfter(10 * MINUTE_MS), 'as long as it may be unused')
  clock.advance(8 * MINUTE_MS)
  await app.core.browserSessions.use(token)
  t.ok(await goesAfter(7 * MINUTE_MS), 'and no longer than at all')
  await redis.client.del(key)
  t.equal(await app.core.browserSessions.use(token), undefined, 'one that is lost has ended')
})

t.test('a provider in trouble', async (t) => {
  /**
   * Begins a sign-in at an upstream whose token endpoint answers as given. `finish` can be called repeatedly, `asked`
   * counts requests.
   */
  async function trouble(t: Test, passage: Passage) {
    const { app, clock } = await setUp(t)
    const { query, attempt } = await beginAt(app, 'acme', 'ann')
    during(t, acme, TOKEN_ENDPOINT, passage)
    const asked = acme.count(TOKEN_ENDPOINT)
    return {
      ...{ app, clock },
      finish: () => app.core.signIn.finish('acme', query, attempt, BY),
      asked: () => acme.count(TOKEN_ENDPOINT) - asked
    }
  }
  const pause = (retryAfterSeconds: number) => ({ ...UNAVAILABLE, retryAfterSeconds })

  t.test('that says how long it wants to be left alone is left alone for so long', async (t) => {
    const { clock, finish, asked } = await trouble(t, text('later', 429, { 'retry-after': '60' }))
    await t.rejects(finish(), pause(60))
    t.equal(asked(), 1)
    await t.rejects(finish(), pause(60))
    clock.advance(59_001)
    await t.rejects(finish(), pause(1))
    t.equal(asked(), 1, 'not asked meanwhile')
    acme.at(TOKEN_ENDPOINT)
    clock.advance(999)
    t.match(await finish(), { kind: 'signed_in' })
  })

  t.test('is not believed everything', async (t) => {
    const { app, clock, finish } = await trouble(t, text('broken', 500))
    for (const [header, seconds] of [
      ['0', 1],
      ['300', 300],
      ['999999', 300],
      ['-5', undefined],
      ['1e3', undefined],
      ['Fri, 31 Dec 2100 23:59:59 GMT', 300],
      ['Friday, 31-Dec-99 23:59:59 GMT', 1],
      ['Thu Jan  1 00:00:00 1970', 1],
      ['tomorrow', undefined],
      ['', undefined]
    ] as const) {
      for (const answer of [
        text('', 503, { 'retry-after': header }),
        json({ error: 'slow_down' }, 429, { 'retry-after': header })
      ]) {
        acme.at(TOKEN_ENDPOINT, answer)
        await t.rejects(finish(), { ...UNAVAILABLE, retryAfterSeconds: seconds }, `${header} is ${seconds}`)
        // The pause ends before the next case.
        clock.advance(6 * MINUTE_MS)
        await app.core.signIn.begin('acme', { reauthenticates: false })
      }
    }
  })

  t.test('that fails five times in a row is left alone for half a minute, and then asked once', async (t) => {
    const { clock, finish, asked } = await trouble(t, text('broken', 500))
    for (let i = 0; i < 4; i++) await t.rejects(finish(), { ...UNAVAILABLE, retryAfterSeconds: undefined })
    await t.rejects(finish(), pause(30))
    await t.rejects(finish(), pause(30))
    t.equal(asked(), 5)
    clock.advance(30_000)
    await t.rejects(finish(), pause(30), 'still in trouble')
    await t.rejects(finish(), pause(30))
    t.equal(asked(), 6)
    acme.at(TOKEN_ENDPOINT)
    clock.advance(30_000)
    t.match(await finish(), { kind: 'signed_in' })
    acme.at(TOKEN_ENDPOINT, text('broken', 500))
    for (let i = 0; i < 4; i++)
      await t.rejects(finish(), { ...UNAVAILABLE, retryAfterSeconds: undefined }, 'counted anew')
  })

  t.test('that refuses is in none', async (t) => {
    const { finish, asked } = await trouble(t, json({ error: 'invalid_grant' }, 400))
    for (let i = 0; i < 10; i++) t.same(await finish(), { kind: 'refused', reason: 'invalid' })
    t.equal(asked(), 10)
  })

  t.test('is left alone as long as it asked for, whatever else it answers late', async (t) => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const answers: Passage[] = [
      async (exchange) => held.then(() => text('broken', 500)(exchange)),
      text('later', 429, { 'retry-after': '60' })
    ]
    const { finish, asked } = await trouble(t, (exchange) => (answers.shift() ?? text('again', 500))(exchange))
    const late = finish().catch((error) => error)
    while (asked() < 1) await new Promise((resolve) => setImmediate(resolve))
    await t.rejects(finish(), pause(60))
    letGo()
    t.match(await late, UNAVAILABLE)
    await t.rejects(finish(), pause(60))
    t.equal(asked(), 2)
  })

  t.test('does not keep others from being asked', async (t) => {
    const { app, finish } = await trouble(t, text('later', 429, { 'retry-after': '60' }))
    await t.rejects(finish(), pause(60))
    t.match(await signInAt(app, 'corp', 'ann'), { kind: 'signed_in' })
    t.match(await signInAt(app, 'hub', 'ann'), { kind: 'signed_in' })
  })

  t.test('that cannot be reached, or is somebody else, signs nobody in', async (t) => {
    const { app } = await setUp(t)
    await acme.down()
    await t.rejects(app.core.signIn.begin('acme', { reauthenticates: false }), UNAVAILABLE)
    await acme.up()
    during(
      t,
      acme,
      '/.well-known/openid-configuration',
      json({ issuer: 'https://evil.example', token_endpoint: acme.origin })
    )
    await t.rejects(app.core.signIn.begin('acme', { reauthenticates: false }), INVALID_REQUEST, 'another issuer')
    acme.at('/.well-known/openid-configuration', text('moved', 302, { location: 'https://evil.example/' }))
    await t.rejects(app.core.signIn.begin('acme', { reauthenticates: false }), UNAVAILABLE, 'nobody is followed')
    acme.at('/.well-known/openid-configuration')
    t.match(await signInAt(app, 'acme', 'ann'), { kind: 'signed_in' }, 'looked up again as soon as it can be')
  })

  t.test('whose user info fails signs nobody in', async (t) => {
    const { app } = await setUpOverRedis(t)
    const before = await snapshot(redis)
    during(t, hub, PLAIN_USER_INFO, text('broken', 500))
    await t.rejects(signInAt(app, 'hub', 'ann'), UNAVAILABLE)
    for (const answer of [
      json(null),
      json([]),
      json('text'),
      text('<html>'),
      text('', 204),
      json({ id: 7, login: 'ann', x: 'x'.repeat(2 ** 21) })
    ]) {
      hub.at(PLAIN_USER_INFO, answer)
      await t.rejects(signInAt(app, 'hub', 'ann'), UNAVAILABLE)
    }
    t.same((await snapshot(redis)).size, before.size, 'nothing is kept')
  })

  t.test('that answers 200 and means an error is understood', async (t) => {
    const { app } = await setUp(t)
    for (const [error, expected] of [
      ['bad_verification_code', { kind: 'refused', reason: 'invalid' }],
      ['incorrect_client_credentials', UNAVAILABLE],
      ['redirect_uri_mismatch', UNAVAILABLE]
    ] as const) {
      during(t, hub, PLAIN_TOKEN_ENDPOINT, json({ error, error_description: 'x' }))
      t.match(await signInAt(app, 'hub', 'ann').catch((fault) => fault), expected, error)
    }
  })
})

t.test('connecting is for who is signed in, and by the same rules', async (t) => {
  const { app } = await setUp(t)
  const { session } = signedIn(await signInAt(app, 'acme', 'ann'))
  t.match(await connectAt(app, 'corp', 'ann', session.userId), {
    kind: 'connected',
    connection: { userId: session.userId }
  })
  const { url, attempt } = await app.core.signIn.begin('hub', { reauthenticates: false })
  const callback = await visitProvider(url, PUBLIC_URL, 'ann')
  t.equal(`${callback.origin}${callback.pathname}`, `${PUBLIC_URL}/login/hub/callback`, 'back where it began')
  const query = callback.search.slice(1)
  t.match(await app.core.signIn.finishConnecting('hub', query, attempt, session.userId, BY), { kind: 'connected' })
  t.same(await app.core.signIn.finishConnecting('hub', query, attempt, session.userId, BY), {
    kind: 'refused',
    reason: 'invalid'
  })
})
