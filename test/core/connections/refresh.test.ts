/**
 * Refreshing the tokens of connections: the upstream is asked once, however many instances need new tokens, and new
 * tokens are never lost or overwritten.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Answer, PATIENT, startApp, type TestApp, type TestClock, testClock } from '../../support/app.js'
import { apiClient } from '../../support/client.js'
import { startStopwatch } from '../../support/held-up.js'
import { REVOCATION_ENDPOINT, startIdentityProvider, TOKEN_ENDPOINT } from '../../support/oidc-upstream.js'
import {
  PLAIN_REVOCATION_ENDPOINT,
  PLAIN_TOKEN_ENDPOINT,
  PLAIN_TOKEN_SECONDS,
  startPlainProvider
} from '../../support/plain-upstream.js'
import { startRedis } from '../../support/redis-server.js'
import { startService } from '../../support/service.js'
import { connectAt, providersFile, signInAt } from '../../support/sign-in.js'
import { sessionOf } from '../../support/tokens.js'
import { changed, type Gate, json, type Passage, text } from '../../support/upstream-gate.js'

const PUBLIC_URL = 'https://grants.example'
const HOUR_MS = 3_600_000
const REFRESH = `POST ${TOKEN_ENDPOINT} refresh_token`
const NEEDS_RECONNECT = 'The provider no longer accepts this account: its user has to connect it again.'
const AGAIN_LATER = { status: 503, body: { error: 'Service Unavailable. Please try again.' } }

// With `no` a write is in the kernel when it is acknowledged. With `everysec` a slow disk delays it, and a kill would
// lose it.
const redis = await startRedis('--appendfsync', 'no')
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })
t.teardown(() => redis.stop())
hub.expires = true

const providers = (t: Test) => providersFile(t, [acme.entry(), hub.entry()])

/** Starts an instance over Redis. The instances of a test share a clock. */
async function startInstance(t: Test, clock: TestClock, variables: Record<string, string> = {}): Promise<TestApp> {
  const defaults = { PUBLIC_URL, SIGNING_ALG: 'EdDSA', REDIS_URL: redis.url, PROVIDERS_FILE: providers(t) }
  return { ...(await startApp(t, { ...defaults, ...variables }, { testClock: clock })), clock }
}

interface Account {
  id: string
  userId: string
  /** The Redis key of the record. */
  key: string
  session: string
}

/** Signs a user in and returns their connection. */
async function open({ app }: Pick<TestApp, 'app'>, providerId = 'acme', login = 'ann'): Promise<Account> {
  const outcome = await signInAt(app, providerId, login)
  if (outcome.kind !== 'signed_in') throw new Error(`not signed in: ${outcome.reason}`)
  const { userId } = outcome.session
  const [account] = await app.core.connections.list(userId)
  if (!account) throw new Error('no account')
  const key = `grantd:account:{${userId}}:${account.id}`
  return { id: account.id, userId, key, session: await sessionOf(userId, { expires: '3650d' }) }
}

const pathOf = ({ id }: Account) => `/api/v0/oauthAccounts/${id}/accessToken`
const ask = ({ call }: Pick<TestApp, 'call'>, account: Account): Promise<Answer> =>
  call('GET', pathOf(account), { token: account.session })
const list = async ({ call }: Pick<TestApp, 'call'>, { session }: Account) =>
  (await call('GET', '/api/v0/oauthAccounts', { token: session })).body.data

/**
 * Starts an instance on an empty Redis, with a connection whose access token has expired. `refreshes` counts the
 * refreshes since.
 */
async function setUpOne(t: Test, providerId = 'acme') {
  await redis.client.flushall()
  const clock = testClock()
  const one = await startInstance(t, clock)
  const account = await open(one, providerId)
  const before = (await ask(one, account)).body.accessToken as string
  clock.advance(10 * HOUR_MS)
  const gate: Gate = providerId === 'acme' ? acme : hub
  const asked = gate.count('refresh_token')
  return { clock, one, account, before, refreshes: () => gate.count('refresh_token') - asked }
}

/** The same with a second instance beside it. */
async function setUp(t: Test, providerId = 'acme') {
  const made = await setUpOne(t, providerId)
  return { ...made, two: await startInstance(t, made.clock) }
}

/** Starts an instance on an empty Redis, with a connection for each of these names, whose access tokens have expired. */
async function setUpMany(t: Test, names: readonly string[]) {
  await redis.client.flushall()
  const clock = testClock()
  const one = await startInstance(t, clock)
  const accounts: [string, Account][] = []
  for (const [i, name] of names.entries()) accounts.push([name, await open(one, 'acme', `user-${i}`)])
  clock.advance(10 * HOUR_MS)
  return { clock, one, accounts }
}

/** Sends requests to this path of an upstream through the passage for the rest of the test. */
function during(t: Test, gate: Gate, path: string, passage: Passage): void {
  t.teardown(() => gate.at(path))
  gate.at(path, passage)
}

/** Makes a passage that holds its requests until `letGo` is called. */
function held(then: Passage = (exchange) => exchange.ask()) {
  let letGo = () => {}
  const gone = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const passage: Passage = async (exchange) => {
    await gone
    return then(exchange)
  }
  return { passage, letGo: () => letGo() }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

t.test('a token is refreshed when it has a minute left, and not before', async (t) => {
  const { clock, one, account, refreshes } = await setUpOne(t)
  const first = (await ask(one, account)).body
  t.match(first, { accessToken: String, scopes: ['openid', 'profile', 'email'] })
  t.equal(refreshes(), 1)
  clock.advance(HOUR_MS - 60_001)
  t.same((await ask(one, account)).body, first, 'a millisecond more than a minute')
  t.equal(refreshes(), 1)
  clock.advance(1)
  const second = (await ask(one, account)).body
  t.not(second.accessToken, first.accessToken, 'a minute')
  t.equal(refreshes(), 2)
  t.ok(await acme.accepts(second.accessToken))
  t.match(await list(one, account), [{ expires_at: new Date(clock() + HOUR_MS).toISOString(), status: 'connected' }])
})

t.test('an expired token and many who want it', async (t) => {
  await redis.client.flushall()
  const app = await startInstance(t, testClock())
  const whole = t
  const variables = { ...PATIENT, REDIS_URL: redis.url, PUBLIC_URL, PROVIDERS_FILE: providers(t), LOG_LEVEL: 'warn' }
  const startBoth = () => Promise.all([startService(whole, variables), startService(whole, variables)])
  const [one, two] = await startBoth()
  const clients = [apiClient(one.url), apiClient(two.url)] as const
  const askAll = (account: Account, count: number) =>
    Promise.all(times(count, (i) => clients[i % 2 ? 1 : 0].call('GET', pathOf(account), { token: account.session })))
  const end = ({ key }: Account) => redis.client.hset(key, 'expiresAtMs', `${Date.now() - 1_000}`)

  await t.test('50 parallel calls over two instances: one refresh upstream, 50 times the same token', async (t) => {
    acme.accessTokenSeconds = 1
    const account = await open(app)
    acme.accessTokenSeconds = 3_600
    const before = acme.count(REFRESH)
    during(t, acme, TOKEN_ENDPOINT, async ({ ask }) => sleep(300).then(ask))
    const answers = await askAll(account, 50)
    t.equal(acme.count(REFRESH) - before, 1, 'one refresh')
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.equal(new Set(answers.map(({ body }) => body.accessToken)).size, 1, 'one token')
    t.ok(await acme.accepts(answers[0]?.body.accessToken), 'which the provider accepts')
    t.same(new Set(answers.map(({ headers }) => headers.get('cache-control'))), new Set(['no-store']))
  })

  await t.test('round after round the refresh token that is used is the latest', async (t) => {
    const account = await open(app)
    const before = acme.count(REFRESH)
    const tokens = new Set<string>()
    for (let round = 1; round <= 6; round++) {
      await end(account)
      const answers = await askAll(account, 20)
      t.same(new Set(answers.map(({ status }) => status)), new Set([200]), `round ${round}`)
      for (const { body } of answers) tokens.add(body.accessToken)
      t.equal(tokens.size, round, 'one new token')
    }
    t.equal(acme.count(REFRESH) - before, 6)
  })

  await t.test('one who is killed while it asks holds up the others for no more than 10 seconds', async (t) => {
    const account = await open(app)
    await end(account)
    const before = acme.count(REFRESH)
    const { passage } = held()
    during(t, acme, TOKEN_ENDPOINT, passage)
    const lost = clients[0].call('GET', pathOf(account), { token: account.session }).catch(() => 'lost')
    await until(() => acme.count(REFRESH) > before)
    await one.stop('SIGKILL')
    acme.at(TOKEN_ENDPOINT)
    t.equal(await lost, 'lost')
    const [lock = '', ...others] = await redis.client.keys('grantd:lock:*')
    t.strictSame(others, [])
    const leftMs = await redis.client.pttl(lock)
    t.ok(leftMs > 0 && leftMs <= 10_000, `its lock is left behind for ${leftMs} ms`)
    // So that none of the others gives up before: each has twelve seconds in all.
    t.equal(await redis.client.pexpire(lock, 1_000), 1)
    const answers = await Promise.all(
      times(10, () => clients[1].call('GET', pathOf(account), { token: account.session }))
    )
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.equal(new Set(answers.map(({ body }) => body.accessToken)).size, 1)
    t.equal(acme.count(REFRESH) - before, 2, 'the one that was lost, and one')
    t.same(await redis.client.keys('grantd:lock:*'), [], 'and no lock is left')
  })
})

t.test('in one process as well', async (t) => {
  const clock = testClock()
  const service = await startInstance(t, clock, { REDIS_URL: '' })
  const account = await open(service)
  clock.advance(2 * HOUR_MS)
  const before = acme.count(REFRESH)
  const answers = await Promise.all(times(50, () => ask(service, account)))
  t.equal(acme.count(REFRESH) - before, 1)
  t.equal(new Set(answers.map(({ status, body }) => `${status} ${body.accessToken}`)).size, 1)
})

t.test('who comes while another instance asks waits for its answer', async (t) => {
  const { one, two, account, refreshes } = await setUp(t)
  const { passage, letGo } = held()
  during(t, acme, TOKEN_ENDPOINT, passage)
  const first = ask(one, account)
  await until(() => refreshes() === 1)
  const second = ask(two, account)
  await sleep(500)
  letGo()
  const answers = await Promise.all([first, second])
  t.match(answers, [{ status: 200 }, { status: 200 }])
  t.equal(answers[0]?.body.accessToken, answers[1]?.body.accessToken)
  t.equal(refreshes(), 1)
})

t.test('a plain service that rotates is refreshed like any other', async (t) => {
  const { clock, one, two, account, before, refreshes } = await setUp(t, 'hub')
  for (let round = 1; round <= 3; round++) {
    const answers = await Promise.all(times(10, (i) => ask(i % 2 ? one : two, account)))
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.ok(hub.accepts(answers[0]?.body.accessToken))
    t.not(answers[0]?.body.accessToken, before)
    t.equal(refreshes(), round)
    clock.advance(PLAIN_TOKEN_SECONDS * 1000)
  }
})

t.test('a provider that is down', async (t) => {
  t.test('503 with Retry-After; the token is kept, and good again when the provider is back', async (t) => {
    const { clock, one, account } = await setUpOne(t)
    const kept = await redis.client.hgetall(account.key)
    await acme.down()
    for (let i = 0; i < 7; i++) {
      const answer = await ask(one, account)
      t.match(answer, AGAIN_LATER)
      t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
    }
    t.match((await ask(one, account)).headers['retry-after'], '30', 'it is left alone by now, and the caller told so')
    t.same(await redis.client.hgetall(account.key), kept)
    t.match(await list(one, account), [{ status: 'connected' }])
    await acme.up()
    clock.advance(30_000)
    const answer = await ask(one, account)
    t.equal(answer.status, 200)
    t.ok(await acme.accepts(answer.body.accessToken))
  })

  t.test('200 with what is left of the token, to its last millisecond', async (t) => {
    const { clock, one, account } = await setUpOne(t)
    const { accessToken } = (await ask(one, account)).body
    clock.advance(HOUR_MS - 60_000)
    await acme.down()
    t.match(await ask(one, account), { status: 200, body: { accessToken } })
    clock.advance(59_999)
    t.match(await ask(one, account), { status: 200, body: { accessToken } })
    clock.advance(1)
    t.match(await ask(one, account), AGAIN_LATER)
    await acme.up()
  })

  t.test('503 to all who wait, each of them told when to come back', async (t) => {
    const { one, two, account, refreshes } = await setUp(t)
    during(t, acme, TOKEN_ENDPOINT, text('later', 429, { 'retry-after': '77' }))
    const answers = await Promise.all(times(10, () => ask(one, account)))
    for (const { status, headers } of answers) t.same([status, headers['retry-after']], [503, 77])
    t.equal(refreshes(), 1, 'and the provider was asked once')
    t.match(await ask(two, account), AGAIN_LATER, 'each instance finds out for itself')
    t.equal(refreshes(), 2)
  })

  t.test('503 when it does not answer within 4 seconds', async (t) => {
    const { one, account, clock } = await setUpOne(t)
    const kept = await redis.client.hgetall(account.key)
    const { passage, letGo } = held(text('too late', 500))
    during(t, acme, TOKEN_ENDPOINT, passage)
    const startedAt = performance.now()
    const ownMs = startStopwatch(t)
    t.match(await ask(one, account), AGAIN_LATER)
    const ms = performance.now() - startedAt
    t.ok(ms > 3_500 && ownMs() < 8_000, `${ms.toFixed(0)} ms, ${ownMs().toFixed(0)} of its own`)
    t.same(await redis.client.hgetall(account.key), kept)
    t.same(await redis.client.keys('grantd:lock:*'), [], 'and nobody is held up by it')
    letGo()
    acme.at(TOKEN_ENDPOINT)
    clock.advance(1_000)
    t.equal((await ask(one, account)).status, 200)
  })
})

/** Temporary errors of a token endpoint: none of them means that the refresh token is invalid. */
const TEMPORARY: Record<string, Passage> = {
  'a 500': text('broken', 500),
  'a 500 that names an error': json({ error: 'invalid_grant' }, 500),
  'a 502 of a proxy': text('<html>Bad Gateway</html>', 502),
  'a 503': text('', 503, { 'retry-after': '5' }),
  'a 429': json({ error: 'rate_limited' }, 429, { 'retry-after': '5' }),
  'a 404': text('<html>Not Found</html>', 404),
  'a 403 of a firewall': text('<html>Forbidden</html>', 403),
  'a page': text('<html>maintenance</html>'),
  'an empty answer': json(''),
  'no content': text('', 204),
  'nothing but a status': text('', 200, { 'content-type': 'application/json' }),
  'half of an answer': text('{"access_token":"x"', 200, { 'content-type': 'application/json' }),
  'a list': json([]),
  null: json(null),
  'no access token': json({ token_type: 'bearer', expires_in: 60 }),
  'an access token that is no text': json({ access_token: 5, token_type: 'bearer' }),
  'an empty access token': json({ access_token: '', token_type: 'bearer' }),
  'another type of token': json({ access_token: 'planted', token_type: 'mac' }),
  '2 MiB': json({ access_token: 'planted', token_type: 'bearer', x: 'x'.repeat(2 ** 21) }),
  'a redirect': text('', 302, { location: '/moved' }),
  'a redirect of the request': text('', 307, { location: '/moved' }),
  'our own credentials refused': json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' }),
  'our own credentials refused without a challenge': json({ error: 'invalid_client' }, 400),
  'the client refused': json({ error: 'unauthorized_client' }, 400),
  'a refusal that is no JSON': text('invalid_grant', 400),
  'an end': async () => 'hang up'
}

t.test('503 and nothing is lost, whatever a provider in trouble answers', async (t) => {
  for (const providerId of ['acme', 'hub']) {
    const { clock, one, account } = await setUpOne(t, providerId)
    const [gate, path] = providerId === 'acme' ? [acme, TOKEN_ENDPOINT] : [hub, PLAIN_TOKEN_ENDPOINT]
    const kept = await redis.client.hgetall(account.key)
    during(t, gate, '/moved', json({ access_token: 'planted', token_type: 'bearer' }))
    for (const [what, passage] of Object.entries(TEMPORARY)) {
      gate.at(path, passage)
      const answer = await ask(one, account)
      t.match(answer, AGAIN_LATER, `${providerId}: ${what}`)
      t.match(`${answer.headers['retry-after']}`, /^[1-9]\d*$/, what)
      t.same(await redis.client.hgetall(account.key), kept, `${what}: everything is as it was`)
      // After this time the upstream is asked again.
      clock.advance(31_000)
    }
    gate.at(path)
    t.equal((await ask(one, account)).status, 200, 'and good again')
  }
})

/** Unusual answers that can still be used. */
const USABLE: Record<string, { changes: object; expiresInSeconds?: number | null; scopes?: string[] }> = {
  // The life that the sign-in named is still the last known one.
  'no end': { changes: { expires_in: undefined } },
  'no type of token': { changes: { token_type: undefined } },
  'an end that is a text': { changes: { expires_in: '120' }, expiresInSeconds: 120 },
  'an end with a fraction': { changes: { expires_in: 120.5 }, expiresInSeconds: 120.5 },
  'an end at once': { changes: { expires_in: 0 }, expiresInSeconds: 0 },
  'another spelling of the type': { changes: { token_type: 'BEARER' } },
  'other scopes': { changes: { scope: 'openid' }, scopes: ['openid'] },
  'no scopes': { changes: { scope: undefined } },
  'no ID token': { changes: { id_token: undefined } },
  'members nobody knows': { changes: { x: { y: 1 }, error: '' } }
}

t.test('200 with a token that came with an odd answer', async (t) => {
  const { clock, one, accounts } = await setUpMany(t, Object.keys(USABLE))
  for (const [what, account] of accounts) {
    const { changes = {}, expiresInSeconds = 3_600, scopes } = USABLE[what] ?? {}
    const nowMs = clock()
    during(t, acme, TOKEN_ENDPOINT, changed(changes))
    const answer = await ask(one, account)
    t.equal(answer.status, 200, what)
    t.ok(await acme.accepts(answer.body.accessToken), what)
    t.same(answer.body.scopes, scopes ?? ['openid', 'profile', 'email'], `${what}: scopes`)
    const [row] = await list(one, account)
    const end = expiresInSeconds === null ? null : new Date(nowMs + expiresInSeconds * 1000).toISOString()
    t.same([row?.expires_at, row?.status], [end, 'connected'], `${what}: the end`)
    acme.at(TOKEN_ENDPOINT)
    clock.advance(10 * HOUR_MS)
    t.equal((await ask(one, account)).status, 200, `${what}: and later on`)
  }
})

t.test('200 an end beyond all calendars is no end', async (t) => {
  const ends: Record<string, unknown> = { '1e12': 1e12, '1e15': 1e15, '1e300': 1e300, 'a text': '9'.repeat(30) }
  const { one, accounts } = await setUpMany(t, Object.keys(ends))
  for (const [what, account] of accounts) {
    during(t, acme, TOKEN_ENDPOINT, changed({ expires_in: ends[what] }))
    t.equal((await ask(one, account)).status, 200)
    const answer = await one.call('GET', '/api/v0/oauthAccounts', { token: account.session })
    t.equal(answer.status, 200, `${what}: the list can be read`)
    t.equal((await ask(one, account)).status, 200)
  }
})

t.test('a refresh token without a successor goes on', async (t) => {
  const { clock, one, account, refreshes } = await setUpOne(t)
  const used: string[] = []
  during(t, acme, TOKEN_ENDPOINT, async ({ form }) => {
    used.push(form.get('refresh_token') ?? '')
    const body = { access_token: `token-${used.length}`, token_type: 'bearer', expires_in: 60 }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  })
  for (let i = 1; i <= 3; i++) {
    t.match((await ask(one, account)).body, { accessToken: `token-${i}`, scopes: ['openid', 'profile', 'email'] })
    clock.advance(60_000)
  }
  t.equal(new Set(used).size, 1, 'the same one each time')
  acme.at(TOKEN_ENDPOINT)
  t.equal((await ask(one, account)).status, 200)
  t.equal(refreshes(), 4)
})

t.test('a successor is kept even if the rest of its answer is no good', async (t) => {
  const spoilt: Record<string, object> = {
    'an ID token nobody can read': { id_token: 'x.y.z' },
    'an end in the past': { expires_in: -1 },
    'an end that is no number': { expires_in: 'soon' },
    'scopes as a list': { scope: ['openid'] },
    'members that are null': { scope: null, expires_in: null, id_token: null }
  }
  const { clock, one, accounts } = await setUpMany(t, Object.keys(spoilt))
  for (const [what, account] of accounts) {
    during(t, acme, TOKEN_ENDPOINT, changed(spoilt[what] ?? {}))
    await ask(one, account)
    acme.at(TOKEN_ENDPOINT)
    clock.advance(10 * HOUR_MS)
    t.equal((await ask(one, account)).status, 200, what)
  }
})

t.test('a provider that refuses', async (t) => {
  t.test('404 with the sentence, shown in the list, and not asked again', async (t) => {
    const { one, two, account, refreshes } = await setUp(t)
    acme.refuseAll()
    t.match(await ask(one, account), { status: 404, body: { error: NEEDS_RECONNECT } })
    for (const instance of [one, two, one]) {
      t.match(await ask(instance, account), { status: 404, body: { error: NEEDS_RECONNECT } })
    }
    t.equal(refreshes(), 1)
    t.match(await list(two, account), [{ id: account.id, status: 'needs_reconnect', expires_at: null }])
    t.notHas(await redis.client.hgetall(account.key), { sealedTokens: /./ }, 'what is worth nothing is not kept')

    t.match(await open(one), { id: account.id, userId: account.userId }, 'connected again')
    t.match(await list(two, account), [{ status: 'connected' }])
    t.equal((await ask(two, account)).status, 200)
  })

  t.test('404 also while the token would have been good for some seconds', async (t) => {
    const { clock, one, account } = await setUpOne(t)
    await ask(one, account)
    clock.advance(HOUR_MS - 30_000)
    acme.refuseAll()
    t.match(await ask(one, account), { status: 404, body: { error: NEEDS_RECONNECT } })
  })

  t.test('404 in whatever words it does', async (t) => {
    const words: [string, Passage][] = [
      ['acme', json({ error: 'invalid_grant' }, 400)],
      ['acme', json({ error: 'invalid_grant', error_description: 'x'.repeat(5_000) }, 400)],
      ['acme', json({ error: 'invalid_grant' }, 403)],
      ['acme', json({ error: 'invalid_request' }, 400)],
      ['acme', json({ error: { code: 'invalid_grant' } }, 400)],
      ['hub', json({ error: 'bad_refresh_token' }, 200)],
      ['hub', json({ error: 'invalid_grant' }, 400)]
    ]
    for (const [providerId, passage] of words) {
      const { one, account, refreshes } = await setUpOne(t, providerId)
      const [gate, path] = providerId === 'acme' ? [acme, TOKEN_ENDPOINT] : [hub, PLAIN_TOKEN_ENDPOINT]
      gate.at(path, passage)
      for (let i = 0; i < 2; i++) t.match(await ask(one, account), { status: 404, body: { error: NEEDS_RECONNECT } })
      t.equal(refreshes(), 1)
      gate.at(path)
    }
  })

  t.test('404 to all of 20 who ask at once', async (t) => {
    const { one, two, account, refreshes } = await setUp(t)
    acme.refuseAll()
    const answers = await Promise.all(times(20, (i) => ask(i % 2 ? one : two, account)))
    t.same(new Set(answers.map(({ status }) => status)), new Set([404]))
    t.equal(refreshes(), 1)
  })
})

t.test('who is late writes over nothing', async (t) => {
  for (const [what, late] of Object.entries({
    'with tokens': json({ access_token: 'late', refresh_token: 'late', token_type: 'bearer' }),
    'with a refusal': json({ error: 'invalid_grant' }, 400)
  })) {
    t.test(`after the user has connected the account again, ${what}`, async (t) => {
      const { one, two, account, refreshes } = await setUp(t)
      const { passage, letGo } = held(late)
      during(t, acme, TOKEN_ENDPOINT, (exchange) =>
        exchange.form.get('grant_type') === 'refresh_token' ? passage(exchange) : exchange.ask()
      )
      const waiting = ask(one, account)
      await until(() => refreshes() === 1)
      await open(two)
      const kept = await redis.client.hgetall(account.key)
      const { accessToken } = (await ask(two, account)).body
      letGo()
      t.match(await waiting, { status: 200, body: { accessToken } }, 'is told what is there')
      t.same(await redis.client.hgetall(account.key), kept)
      t.ok(await acme.accepts(accessToken))
    })
  }

  t.test('after another instance, which took the lock when it had ended', async (t) => {
    const { one, two, account, refreshes } = await setUp(t)
    const token = (name: string) =>
      json({ access_token: name, refresh_token: name, token_type: 'bearer', expires_in: 900 })
    const { passage, letGo } = held(token('late'))
    const passages = [passage, token('in time')]
    during(t, acme, TOKEN_ENDPOINT, async (exchange) => (passages.shift() ?? text('once more', 500))(exchange))
    const waiting = ask(one, account)
    await until(() => refreshes() === 1)
    t.equal(await redis.client.del(`grantd:lock:account-refresh:${account.id}`), 1)
    t.match(await ask(two, account), { status: 200, body: { accessToken: 'in time' } })
    letGo()
    t.match(await waiting, { status: 200, body: { accessToken: 'in time' } })
    for (const instance of [one, two]) t.match(await ask(instance, account), { body: { accessToken: 'in time' } })
    t.equal(refreshes(), 2)
  })

  t.test('after the account was disconnected', async (t) => {
    const { one, two, account, refreshes } = await setUp(t)
    const { passage, letGo } = held()
    during(t, acme, TOKEN_ENDPOINT, passage)
    const waiting = ask(one, account)
    await until(() => refreshes() === 1)
    t.equal((await two.call('DELETE', `/api/v0/oauthAccounts/${account.id}`, { token: account.session })).status, 200)
    letGo()
    t.match(await waiting, { status: 404, body: { error: 'Not Found' } })
    t.equal(await redis.client.exists(account.key), 0, 'it does not come back')
    t.same(await list(one, account), [])
  })
})

t.test('Redis goes away the moment the provider has answered: the new token is there when it is back', async (t) => {
  const { one, two, account, before, refreshes } = await setUp(t)
  let isDown = false
  during(t, acme, TOKEN_ENDPOINT, async ({ ask }) => {
    const reply = await ask()
    await redis.kill()
    isDown = true
    return reply
  })
  const waiting = ask(one, account)
  await until(() => isDown)
  t.match(await ask(two, account), AGAIN_LATER, 'the other instance cannot look')
  await redis.start()
  const answer = await waiting
  t.equal(answer.status, 200)
  t.not(answer.body.accessToken, before)
  t.ok(await acme.accepts(answer.body.accessToken))
  acme.at(TOKEN_ENDPOINT)
  let later = await ask(two, account)
  while (later.status === 503) {
    await sleep(50)
    later = await ask(two, account)
  }
  t.same(later.body, answer.body, 'kept, for the other instance as well')
  t.equal(refreshes(), 1)
  t.match((await redis.client.hgetall(account.key)).version, '2')
})

t.test('an instance that stops keeps what it has asked for', async (t) => {
  const { two, account, before, refreshes, clock } = await setUp(t)
  const leaving = await startInstance(t, clock)
  const { passage, letGo } = held()
  during(t, acme, TOKEN_ENDPOINT, passage)
  const waiting = leaving.app.core.connections.vend(account.id, { kind: 'api_key' })
  await until(() => refreshes() === 1)
  const closed = leaving.app.close()
  await sleep(100)
  letGo()
  await Promise.all([closed, waiting])
  const answer = await ask(two, account)
  t.equal(answer.status, 200)
  t.not(answer.body.accessToken, before)
  t.equal(refreshes(), 1)
})

t.test('disconnecting', async (t) => {
  const unlink = ({ call }: TestApp, { id, session }: Account) =>
    call('DELETE', `/api/v0/oauthAccounts/${id}`, { token: session })
  const start = async (t: Test, more = {}) => {
    await redis.client.flushall()
    return startInstance(t, testClock(), { PROVIDERS_FILE: providersFile(t, [acme.entry(), hub.entry(more)]) })
  }

  t.test('ends the tokens at the provider', async (t) => {
    const service = await start(t)
    const account = await open(service)
    const { accessToken } = (await ask(service, account)).body
    let revoked = ''
    during(t, acme, REVOCATION_ENDPOINT, async ({ form, ask }) => {
      revoked = form.get('token') ?? ''
      return ask()
    })
    t.ok(await acme.accepts(accessToken))
    t.match(await unlink(service, account), { status: 200, body: { id: account.id, revoked_at_provider: true } })
    t.notOk(await acme.accepts(accessToken), 'the access token as well')
    t.match(revoked, /./)
    t.not(revoked, accessToken, 'by the refresh token, which is the longer-lived one')
    t.match(await ask(service, account), { status: 404, body: { error: 'Not Found' } })
  })

  t.test('ends the one token there is', async (t) => {
    const service = await start(t, { revocation_endpoint: `${hub.origin}${PLAIN_REVOCATION_ENDPOINT}` })
    hub.expires = false
    t.teardown(() => {
      hub.expires = true
    })
    const account = await open(service, 'hub')
    const { accessToken } = (await ask(service, account)).body
    t.match((await unlink(service, account)).body, { revoked_at_provider: true })
    t.notOk(hub.accepts(accessToken))
  })

  t.test('says so when the provider cannot, or does not', async (t) => {
    const service = await start(t)
    const { userId } = await open(service)
    const connected = await connectAt(service.app, 'hub', 'ann', userId)
    if (connected.kind !== 'connected') throw new Error('not connected')
    const session = await sessionOf(userId)
    const there = { ...connected.connection, key: '', session }
    t.match((await unlink(service, there)).body, { revoked_at_provider: false }, 'it has no way to')
    const answers: Record<string, Passage> = {
      'a 500': text('broken', 500),
      'a 429': text('later', 429, { 'retry-after': '60' }),
      'a refusal': json({ error: 'unsupported_token_type' }, 400),
      'an end': async () => 'hang up'
    }
    for (const [what, passage] of Object.entries(answers)) {
      const fresh = await start(t)
      const account = await open(fresh)
      during(t, acme, REVOCATION_ENDPOINT, passage)
      t.match(await unlink(fresh, account), { status: 200, body: { revoked_at_provider: false } }, what)
      t.match(await ask(fresh, account), { status: 404 }, 'gone here all the same')
      t.same(await list(fresh, account), [])
      t.equal(await redis.client.exists(account.key), 0)
    }
    const fresh = await start(t)
    const account = await open(fresh)
    await acme.down()
    t.match(await unlink(fresh, account), { status: 200, body: { revoked_at_provider: false } }, 'down')
    await acme.up()
  })

  t.test('of an account whose provider has refused it asks nobody', async (t) => {
    const { one, account } = await setUpOne(t)
    acme.refuseAll()
    await ask(one, account)
    const before = acme.count(REVOCATION_ENDPOINT)
    t.match((await unlink(one, account)).body, { revoked_at_provider: false })
    t.equal(acme.count(REVOCATION_ENDPOINT), before)
  })
})

t.test('what came of the refreshes is counted', async (t) => {
  const { clock, one, account } = await setUpOne(t)
  await ask(one, account)
  clock.advance(2 * HOUR_MS)
  during(t, acme, TOKEN_ENDPOINT, text('broken', 500))
  await ask(one, account)
  acme.at(TOKEN_ENDPOINT)
  acme.refuseAll()
  await ask(one, account)
  const { body } = await one.call('GET', '/metrics')
  for (const outcome of ['refreshed', 'unavailable', 'refused']) {
    t.match(body, `grantd_account_refreshes_total{outcome="${outcome}"} 1`)
  }
})
