/** Checks how often each caller may ask, at the exact limits, and what happens to somebody who guesses user codes. */
import t, { type Test } from 'tap'
import { EnvironmentSchema } from '../../schemas/config.js'
import { createPendingGrants } from '../../src/core/grants/pending-grants.js'
import { loggerOptions } from '../../src/logger.js'
import { tally, times } from '../contract/engine.js'
import { refused } from '../routes/expectations.js'
import { type Answer, startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { type DocumentedOperation, documentedOperations } from '../support/documented-operations.js'
import { API, BOX, basicAuth, CLI, DEVICE_CODE, startConnectedApp, startOAuthApp, TV } from '../support/oauth-app.js'
import { startRedis } from '../support/redis-server.js'
import { sessionOf } from '../support/tokens.js'
import { signedIn } from '../support/visitor.js'

const MINUTE_MS = 60_000
const QUARTER_MS = 15 * MINUTE_MS
const TOO_MANY = 'Too many requests. Please try again later.'
/** The clocks of two instances in a test are some milliseconds apart. */
const ABOUT_900 = /^(900|901)$/
const WRONG = 'BBBB-BBBB'
const behindProxy = { TRUST_PROXY: '127.0.0.1', SIGNING_ALG: 'EdDSA' }
/** Limits that are too high to reach, except those on misses, which are low. */
const freely = {
  ...behindProxy,
  LIMIT_MISSES_PER_IP: '10',
  LIMIT_START_PER_MINUTE: '100000',
  LIMIT_PEEK_PER_MINUTE: '100000',
  LIMIT_APPROVE_PER_MINUTE: '100000'
}

function limited(t: Test, answer: Answer, retryAfter: number | RegExp, about = ''): void {
  refused(t, answer, 429, TOO_MANY, about)
  const header = String(answer.headers['retry-after'])
  if (typeof retryAfter === 'number') t.equal(header, `${retryAfter}`, `${about} Retry-After`)
  else t.match(header, retryAfter, `${about} Retry-After`)
}

/** Returns the three limited operations, for any address and any user. */
function asking({ call }: Pick<TestApp, 'call'>, sessions = new Map<string, Promise<string>>()) {
  const session = (user: string) => {
    if (!sessions.has(user)) sessions.set(user, sessionOf(user, { expires: '1d' }))
    return sessions.get(user) as Promise<string>
  }
  const from = (ip: string) => ({ 'x-forwarded-for': ip })
  return {
    start: (ip: string) => call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers: from(ip) }),
    peek: async (code: string, user: string, ip: string) =>
      call('GET', `/auth/grant/peek?user_code=${encodeURIComponent(code)}`, {
        token: await session(user),
        headers: from(ip)
      }),
    approve: async (code: string, user: string, ip: string, action = 'approve') =>
      call('POST', '/auth/grant/approve', {
        token: await session(user),
        headers: from(ip),
        body: { user_code: code, action }
      })
  }
}

t.test('requests in a minute', async (t) => {
  t.test('the defaults are 30 starts, 60 peeks and 30 decisions', async (t) => {
    const { start, peek, approve } = asking(
      await startApp(t, { ...behindProxy, LIMIT_MISSES_PER_USER: '1000', LIMIT_MISSES_PER_IP: '10000' })
    )
    const ask = {
      start: () => start('192.0.2.1'),
      peek: () => peek(WRONG, 'ann', '192.0.2.1'),
      approve: () => approve(WRONG, 'ann', '192.0.2.1')
    }
    for (const [name, bound] of [
      ['start', 30],
      ['peek', 60],
      ['approve', 30]
    ] as const) {
      const answers: number[] = []
      for (let i = 0; i < bound; i++) answers.push((await ask[name]()).status)
      t.notOk(answers.includes(429), `${name}: ${bound} in a minute`)
      limited(t, await ask[name](), 60, `${name}: one more`)
    }
  })

  t.test('start: each address for itself, a minute from the first', async (t) => {
    const service = await startApp(t, { ...behindProxy, LIMIT_START_PER_MINUTE: '3' })
    const { clock } = service
    const { start } = asking(service)
    t.equal((await start('192.0.2.1')).status, 200)
    clock.advance(30_000)
    for (let i = 0; i < 2; i++) t.equal((await start('192.0.2.1')).status, 200)
    limited(t, await start('192.0.2.1'), 30)
    t.equal((await start('192.0.2.2')).status, 200, 'the neighbour')
    clock.advance(29_000)
    limited(t, await start('192.0.2.1'), 1)
    clock.advance(999)
    limited(t, await start('192.0.2.1'), 1, 'the last millisecond')
    clock.advance(1)
    for (let i = 0; i < 3; i++) t.equal((await start('192.0.2.1')).status, 200)
    limited(t, await start('192.0.2.1'), 60)
  })

  for (const name of ['peek', 'approve'] as const) {
    t.test(`${name}: each address and each user`, async (t) => {
      const service = await startApp(t, { ...freely, [`LIMIT_${name.toUpperCase()}_PER_MINUTE`]: '3' })
      const { clock } = service
      const { start, [name]: ask } = asking(service)
      const { user_code } = (await start('192.0.2.9')).body
      const right = (user: string, ip: string) => ask(user_code, user, ip)
      for (const user of ['u1', 'u2', 'u3']) t.not((await right(user, '192.0.2.1')).status, 429)
      limited(t, await right('u4', '192.0.2.1'), 60, 'one address, four users')
      clock.advance(MINUTE_MS)
      for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) t.not((await right('u5', ip)).status, 429)
      limited(t, await right('u5', '192.0.2.4'), 60, 'one user, four addresses')
      t.not((await right('u6', '192.0.2.4')).status, 429, 'another user from there')
      clock.advance(MINUTE_MS)
      t.not((await right('u5', '192.0.2.4')).status, 429)
    })
  }

  t.test('whoever has no token counts against the address, and so do refusals', async (t) => {
    const { call } = await startApp(t, { ...freely, LIMIT_PEEK_PER_MINUTE: '2', LIMIT_START_PER_MINUTE: '2' })
    for (const status of [401, 401]) t.equal((await call('GET', '/auth/grant/peek?user_code=x')).status, status)
    limited(t, await call('GET', '/auth/grant/peek?user_code=x', { user: 'ann' }), 60)
    for (const status of [400, 400]) t.equal((await call('POST', '/auth/grant/code', { body: {} })).status, status)
    limited(t, await call('POST', '/auth/grant/code', { body: { client_type: 'cli' } }), 60)
  })

  t.test('the operations do not share', async (t) => {
    const service = await startApp(t, {
      ...behindProxy,
      LIMIT_START_PER_MINUTE: '1',
      LIMIT_PEEK_PER_MINUTE: '1',
      LIMIT_APPROVE_PER_MINUTE: '1'
    })
    const { start, peek, approve } = asking(service)
    const { user_code } = (await start('192.0.2.1')).body
    t.equal((await peek(user_code, 'ann', '192.0.2.1')).status, 200)
    t.equal((await approve(user_code, 'ann', '192.0.2.1')).status, 200)
  })

  t.test('polls have none: their grant paces them', async (t) => {
    const { start, poll } = await startApp(t, { ...behindProxy, LIMIT_START_PER_MINUTE: '1' })
    const { grant_code } = await start()
    const statuses = new Set<number>()
    for (let i = 0; i < 150; i++) statuses.add((await poll(grant_code)).status)
    t.strictSame([...statuses], [200])
  })

  t.test('an address is one in any spelling, and an IPv6 network is one', async (t) => {
    const rows: [one: string, other: string, shared: boolean][] = [
      ['1.2.3.4', '::ffff:1.2.3.4', true],
      ['1.2.3.4', '::ffff:102:304', true],
      ['1.2.3.4', '::FFFF:1.2.3.4', true],
      ['1.2.3.4', '0:0:0:0:0:ffff:0102:0304', true],
      ['::ffff:1.2.3.4', '::ffff:1.2.3.5', false],
      ['1.2.3.4', '1.2.3.5', false],
      ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
      ['2001:db8:1:2::1', '2001:DB8:0001:2:0:0:0:1', true],
      ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
      ['::1', '2001:db8::1', false],
      ['1.2.3.4:50443', '1.2.3.4:50444', true],
      ['1.2.3.4:50443', '1.2.3.5:50443', false],
      ['[2001:db8:1:2::1]:443', '"[2001:db8:1:2::2]"', true],
      ['[2001:db8:1:2::1]:443', '[2001:db8:1:3::1]:443', false]
    ]
    for (const [one, other, shared] of rows) {
      const { start } = asking(await startApp(t, { ...behindProxy, LIMIT_START_PER_MINUTE: '1' }))
      t.equal((await start(one)).status, 200)
      t.equal((await start(other)).status, shared ? 429 : 200, `${one} ${shared ? 'is' : 'is not'} ${other}`)
    }
  })

  t.test('X-Forwarded-For of somebody who is no proxy moves nothing', async (t) => {
    const { start } = asking(await startApp(t, { LIMIT_START_PER_MINUTE: '2' }))
    for (const status of [200, 200, 429]) t.equal((await start(`192.0.2.${status % 7}`)).status, status)
  })
})

t.test('two instances over one Redis count together', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { ...freely, LIMITS: 'on', REDIS_URL: redis.url }
  const sessions = new Map<string, Promise<string>>()

  t.test('requests', async (t) => {
    const bounded = { ...variables, REDIS_PREFIX: 'one:', LIMIT_START_PER_MINUTE: '7', LIMIT_PEEK_PER_MINUTE: '5' }
    const startedAt = performance.now()
    const [a, b] = await Promise.all([startConnectedApp(t, bounded), startConnectedApp(t, bounded)])
    const instances = [asking(a, sessions), asking(b, sessions)] as const
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => instances[i % 2 === 0 ? 0 : 1].start('192.0.2.1'))
    )
    t.equal(answers.filter(({ status }) => status === 200).length, 7)
    const refusals = answers.filter(({ status }) => status === 429)
    t.equal(refusals.length, 33)
    const least = 59 - (performance.now() - startedAt) / 1000
    for (const { headers } of refusals) {
      const seconds = Number(headers['retry-after'])
      t.ok(seconds >= least && seconds <= 60, `${seconds} s, at least ${least}`)
    }
    const { user_code } = answers.find(({ status }) => status === 200)?.body ?? {}
    const peeks = await Promise.all(
      Array.from({ length: 40 }, (_, i) => instances[i % 2 === 0 ? 0 : 1].peek(user_code, 'ann', `192.0.2.${i}`))
    )
    t.ok(peeks.every(({ status }) => status === 200 || status === 429))
    t.ok(peeks.filter(({ status }) => status === 200).length <= 5, 'no more than the user may')
    const ttl = await redis.client.pttl((await redis.client.keys('one:limit:start*'))[0] as string)
    t.ok(ttl > 0 && ttl <= MINUTE_MS, 'and Redis forgets')
  })

  t.test('whoever is behind a proxy is counted by their own address, however it is forwarded', async (t) => {
    const bounded = { ...variables, REDIS_PREFIX: 'forwarded:', LIMIT_START_PER_MINUTE: '2' }
    const [a, b] = await Promise.all([startConnectedApp(t, bounded), startConnectedApp(t, bounded)])
    const [one, other] = [asking(a, sessions), asking(b, sessions)]
    for (const [node, again] of [
      ['203.0.113.8:50443', '"203.0.113.8:50444"'],
      ['[2001:db8:1::1]:443', '[2001:db8:1::2]:444'],
      ['203.0.113.9:_x', '::ffff:203.0.113.9'],
      ['[2001:db8:2::1]', '2001:db8:2::1']
    ] as const) {
      t.equal((await one.start(node)).status, 200, `${node} shares with nobody`)
      t.equal((await other.start(again)).status, 200, again)
      limited(t, await one.start(again), /^\d+$/, again)
    }
  })

  t.test('two hundred guesses at once: five are answered', async (t) => {
    const own = { ...variables, REDIS_PREFIX: 'two:' }
    const [a, b] = await Promise.all([startConnectedApp(t, own), startConnectedApp(t, own)])
    const instances = [asking(a, sessions), asking(b, sessions)] as const
    const { user_code, grant_code } = (await instances[0].start('192.0.2.1')).body
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const { peek, approve } = instances[i % 2 === 0 ? 0 : 1]
        return (i % 3 === 0 ? approve : peek)(WRONG, 'mallory', `198.51.${i}.1`)
      })
    )
    t.equal(answers.filter(({ status }) => status === 404).length, 5)
    t.equal(answers.filter(({ status }) => status === 429).length, 195)
    for (const answer of answers) if (answer.status === 429) limited(t, answer, ABOUT_900)
    for (const instance of instances) {
      limited(t, await instance.approve(user_code, 'mallory', '203.0.113.1'), ABOUT_900, 'the right code')
      t.equal((await instance.peek(user_code, 'ann', '203.0.113.2')).status, 200, 'somebody else')
    }
    t.strictSame((await a.poll(grant_code)).body, { status: 'authorization_pending' })
    const kept = await redis.client.keys('two:limit:misses*')
    for (const key of kept) t.ok((await redis.client.pttl(key)) > 0, `${key} goes by itself`)
  })

  t.test('right codes are no guesses, however many come at once', async (t) => {
    const own = { ...variables, REDIS_PREFIX: 'four:' }
    const [a, b] = await Promise.all([startConnectedApp(t, own), startConnectedApp(t, own)])
    const instances = [asking(a, sessions), asking(b, sessions)] as const
    const { user_code } = (await instances[0].start('192.0.2.1')).body
    for (let i = 0; i < 4; i++) t.equal((await instances[0].peek(WRONG, 'ann', '192.0.2.1')).status, 404)
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => instances[i % 2 === 0 ? 0 : 1].peek(user_code, 'ann', '192.0.2.1'))
    )
    t.same(tally(answers.map(({ status }) => `${status}`)), { 200: 40 })
    const approvals = await Promise.all(
      Array.from({ length: 20 }, (_, i) => instances[i % 2 === 0 ? 0 : 1].approve(user_code, 'ann', '192.0.2.1'))
    )
    t.same(tally(approvals.map(({ status }) => `${status}`)), { 200: 20 })
  })

  t.test('two hundred guesses at once from one address: ten', async (t) => {
    const own = { ...variables, REDIS_PREFIX: 'three:' }
    const [a, b] = await Promise.all([startConnectedApp(t, own), startConnectedApp(t, own)])
    const instances = [asking(a, sessions), asking(b, sessions)] as const
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => instances[i % 2 === 0 ? 0 : 1].peek(WRONG, `user-${i}`, '192.0.2.1'))
    )
    t.equal(answers.filter(({ status }) => status === 404).length, 10)
    t.equal(answers.filter(({ status }) => status === 429).length, 190)
  })
})

t.test('guessing', async (t) => {
  /** Starts a service with a valid code, and returns guesses at it. */
  const setUp = async (t: Test, variables: Record<string, string> = {}) => {
    const service = await startApp(t, { ...freely, ...variables })
    const ask = asking(service)
    const fresh = async () => (await ask.start('203.0.113.99')).body as { user_code: string; grant_code: string }
    return { ...service, ...ask, fresh }
  }

  t.test('five misses of a user, wherever from, by peek and approve together', async (t) => {
    const { fresh, peek, approve, poll, clock } = await setUp(t)
    const { user_code, grant_code } = await fresh()
    for (const code of [WRONG, 'x', '7', '\u0000%00', 'AEIO-UAEI']) {
      const ask = code.length % 2 === 0 ? peek : approve
      refused(t, await ask(code, 'ann', `192.0.2.${code.length}`), 404, undefined, code)
    }
    limited(t, await peek(WRONG, 'ann', '192.0.2.77'), 900, 'a wrong code')
    limited(t, await peek(user_code, 'ann', '192.0.2.78'), 900, 'the right code')
    limited(t, await approve(user_code, 'ann', '192.0.2.79'), 900, 'the right decision')
    t.strictSame((await poll(grant_code)).body, { status: 'authorization_pending' }, 'and nothing has changed')
    t.equal((await peek(user_code, 'bob', '192.0.2.80')).status, 200, 'another user has five of their own')
    clock.advance(QUARTER_MS - 1)
    limited(t, await peek(WRONG, 'ann', '192.0.2.81'), 1, 'the last millisecond')
    clock.advance(1)
    t.equal((await peek(WRONG, 'ann', '192.0.2.82')).status, 404)
  })

  t.test('the window slides: every miss comes free a quarter of an hour after it', async (t) => {
    const { peek, clock } = await setUp(t)
    const miss = () => peek(WRONG, 'ann', '192.0.2.1')
    for (let i = 0; i < 5; i++) {
      t.equal((await miss()).status, 404)
      clock.advance(MINUTE_MS)
    }
    limited(t, await miss(), 600)
    clock.advance(600_000)
    t.equal((await miss()).status, 404, 'the first one is free')
    limited(t, await miss(), 60, 'the second one is not')
    clock.advance(60_000)
    t.equal((await miss()).status, 404)
    limited(t, await miss(), 60)
  })

  t.test('what was refused is no guess: it keeps nobody waiting longer', async (t) => {
    const { peek, clock } = await setUp(t)
    for (let i = 0; i < 5; i++) await peek(WRONG, 'ann', '192.0.2.1')
    for (let i = 0; i < 20; i++) {
      clock.advance(MINUTE_MS / 2)
      limited(t, await peek(WRONG, 'ann', '192.0.2.1'), /^\d+$/)
    }
    for (let i = 0; i < 5; i++)
      t.equal((await peek(WRONG, 'bob', '192.0.2.1')).status, 404, 'the address has five left')
    limited(t, await peek(WRONG, 'eve', '192.0.2.1'), /^\d+$/, 'and no more')
    clock.advance(QUARTER_MS - 20 * (MINUTE_MS / 2))
    t.equal((await peek(WRONG, 'ann', '192.0.2.1')).status, 404)
  })

  t.test('a success counts for nothing: it is no miss and forgives none', async (t) => {
    const { fresh, peek, approve } = await setUp(t)
    const { user_code } = await fresh()
    for (let i = 0; i < 4; i++) t.equal((await peek(WRONG, 'ann', '192.0.2.1')).status, 404)
    for (let i = 0; i < 20; i++) t.equal((await peek(user_code, 'ann', '192.0.2.1')).status, 200)
    t.equal((await approve(user_code, 'ann', '192.0.2.1')).status, 200)
    t.equal((await peek(WRONG, 'ann', '192.0.2.1')).status, 404, 'the fifth')
    limited(t, await peek(WRONG, 'ann', '192.0.2.1'), 900)
  })

  t.test('an entry without a letter or a digit is no miss, and is answered when no guess is left', async (t) => {
    const { fresh, peek, approve } = await setUp(t)
    const { user_code } = await fresh()
    const blank = ['-', '....', ' ', '\u200b', '🔑', '“ ”']
    const askAll = async () => {
      for (const entry of blank) {
        for (const ask of [peek, approve]) {
          refused(t, await ask(entry, 'ann', '192.0.2.1'), 404, 'Unknown or expired user_code.', entry)
        }
      }
    }
    await askAll()
    for (let i = 0; i < 5; i++) t.equal((await peek(WRONG, 'ann', '192.0.2.1')).status, 404, 'all five are left')
    limited(t, await peek(user_code, 'ann', '192.0.2.1'), 900)
    await askAll()
  })

  t.test('a code that is decided, or expired, is no miss', async (t) => {
    const { fresh, peek, approve, clock } = await setUp(t)
    const [decided, expired] = [await fresh(), await fresh()]
    await approve(decided.user_code, 'ann', '192.0.2.1', 'deny')
    for (let i = 0; i < 10; i++) {
      refused(t, await peek(decided.user_code, 'ann', '192.0.2.1'), 404)
      refused(t, await approve(decided.user_code, 'ann', '192.0.2.1'), 404)
    }
    clock.advance(900_000)
    for (let i = 0; i < 10; i++) refused(t, await peek(expired.user_code, 'bob', '192.0.2.1'), 404)
    t.equal((await peek(WRONG, 'ann', '192.0.2.1')).status, 404)
    clock.advance(300_000)
    for (let i = 0; i < 5; i++) refused(t, await peek(expired.user_code, 'bob', '192.0.2.1'), 404)
    limited(t, await peek(expired.user_code, 'bob', '192.0.2.1'), 900, 'once it is forgotten it is a miss')
  })

  for (const [one, other, shared] of [
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['2001:db8:1:2::1', '2001:db8:1:2:aaaa::9', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false]
  ] as const) {
    t.test(`ten misses of an address: ${one} ${shared ? 'and' : 'but not'} ${other}`, async (t) => {
      const { fresh, peek } = await setUp(t)
      const { user_code } = await fresh()
      for (let i = 0; i < 9; i++) t.equal((await peek(WRONG, `user-${i}`, one)).status, 404)
      t.equal((await peek(WRONG, 'user-9', other)).status, 404)
      if (shared) {
        limited(t, await peek(WRONG, 'user-10', one), 900)
        limited(t, await peek(user_code, 'user-11', other), 900, 'the right code too')
      } else {
        t.equal((await peek(WRONG, 'user-10', one)).status, 404, 'the tenth')
        limited(t, await peek(WRONG, 'user-11', one), 900)
        t.equal((await peek(user_code, 'user-12', other)).status, 200)
      }
    })
  }

  t.test('both bounds are configured', async (t) => {
    const { peek } = await setUp(t, { LIMIT_MISSES_PER_USER: '2', LIMIT_MISSES_PER_IP: '3' })
    for (const [user, status] of [
      ['a', 404],
      ['a', 404],
      ['a', 429],
      ['b', 404],
      ['b', 429],
      ['c', 429]
    ] as const) {
      t.equal((await peek(WRONG, user, '192.0.2.1')).status, status, user)
    }
  })

  t.test('no token and a client JWT are no guesses', async (t) => {
    const { call, collect, peek } = await setUp(t)
    const token = await collect('ann')
    for (let i = 0; i < 20; i++) {
      t.equal((await call('GET', `/auth/grant/peek?user_code=${WRONG}`)).status, 401)
      t.equal((await call('GET', `/auth/grant/peek?user_code=${WRONG}`, { token })).status, 403)
    }
    t.equal((await peek(WRONG, 'ann', '127.0.0.1')).status, 404)
  })
})

/** The operations without a limit of requests, and why they need none. */
const UNLIMITED: Record<string, string> = {
  pollGrantToken: 'paced by its grant',
  getOpenidConfiguration: 'a public document, from memory',
  getAuthorizationServerMetadata: 'a public document, from memory',
  getJwks: 'a public document, from memory',
  getStatusList: 'a public document, kept in memory for a while',
  getProviderOpenidConfiguration: 'a public document, kept in memory for a while',
  getProviderJwks: 'a public document, kept in memory for a while',
  getProviderJwksJson: 'a public document, kept in memory for a while',
  checkToken:
    'asked for every request of an API, from the one address of its proxy; what is no token of ours ends at its signature',
  getEndUserOauthAccessTokenOptions: 'says the methods, without a look at anything',
  getHealth: 'a probe',
  getReadiness: 'a probe',
  getMetrics: 'read by the operator'
}
const PAGES = [
  ...['GET /', 'GET /device', 'GET /device/confirm', 'GET /login', 'GET /logout', 'GET /account/clients'],
  ...[
    'GET /account/connections',
    'GET /authorize/x',
    'POST /authorize/x',
    'POST /device',
    'POST /device/confirm',
    'POST /login',
    'POST /logout'
  ],
  ...['POST /account/clients/revoke-all', 'POST /account/clients/x/rename', 'POST /account/clients/x/revoke'],
  ...['POST /account/connections/x/sign-in', 'POST /account/connections/x/disconnect', 'GET /account/nowhere']
]

t.test('every operation has a limit, or a reason to have none', async (t) => {
  const lowest = Object.fromEntries(
    Object.keys(EnvironmentSchema.properties)
      .filter((name) => /^LIMIT_/.test(name))
      .map((name) => [name, '1'])
  )
  const ENVIRONMENT_ID = '0f0e0d0c-0b0a-4908-8706-050403020100'
  const { app, post } = await startOAuthApp(t, { ...lowest, LIMITS: 'on', ENVIRONMENT_ID })
  const key = (await app.core.apiKeys.create('acme', {}, BY)).text
  const rights = ['admin:read', 'admin:write', 'connected-accounts'] as const
  const adminKey = (await app.core.apiKeys.create('acme', { rights }, BY)).text
  const session = await sessionOf('ann')
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  /** Sends an operation as its caller does. What limits it is asked before anything else that could be wrong. */
  async function send({ id, method, path, schemes }: DocumentedOperation): Promise<{ status: number; error?: string }> {
    if (id === 'requestToken') {
      const { status, body } = await post('/oauth/token', { ...CLI, grant_type: 'refresh_token', refresh_token: 'x' })
      return { status, error: body.error }
    }
    if (id === 'introspectToken') return post('/oauth/introspect', { ...API, token: 'x' })
    const url = path.replace('{environmentId}', ENVIRONMENT_ID).replaceAll(/\{\w+\}/g, ENVIRONMENT_ID)
    const token = path.startsWith('/v1') ? key : path.startsWith('/admin/') ? adminKey : session
    const proof = id === 'listRevocations' ? basicAuth(API) : { authorization: `Bearer ${token}` }
    const headers = schemes.length > 0 ? proof : {}
    const answer = await app.inject({ method: method as 'GET', url, headers })
    return { status: answer.statusCode }
  }

  const operations = documentedOperations(() => true)
  t.ok(operations.length >= 50, `${operations.length} operations`)
  for (const operation of operations) {
    const answers: { status: number; error?: string }[] = []
    for (let i = 0; i < 2; i++) answers.push(await send(operation))
    const isLimited = answers.some(({ status, error }) => status === 429 || error === 'slow_down')
    t.equal(isLimited, !(operation.id in UNLIMITED), `${operation.id}: ${UNLIMITED[operation.id] ?? 'limited'}`)
  }
  const ids = operations.map(({ id }) => id)
  t.same(
    Object.keys(UNLIMITED).filter((id) => !ids.includes(id)),
    []
  )

  await app.inject('/device')
  for (const page of PAGES) {
    const [method, url] = page.split(' ') as ['GET', string]
    const { statusCode, headers } = await app.inject({ method, url, headers: { ...form, accept: 'text/html' } })
    t.match([statusCode, headers['content-type'], headers['retry-after']], [429, /^text\/html/, '60'], page)
  }
})

t.test('an account, in a minute', async (t) => {
  t.test('a user may look and change so often, an address ten times as often', async (t) => {
    const { call } = await startApp(t, { ...behindProxy, LIMIT_ACCOUNT_PER_MINUTE: '2' })
    const list = (user: string, ip: string) =>
      call('GET', '/auth/clients', { user, headers: { 'x-forwarded-for': ip } })
    for (const path of ['/auth/clients', '/api/v0/oauthAccounts']) {
      t.equal((await call('GET', path, { user: 'ann', headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 200)
    }
    limited(t, await list('ann', '192.0.2.1'), 60, 'one user')
    limited(t, await list('ann', '192.0.2.2'), 60, 'wherever they are')
    // Two of the requests above were refused, and counted for their address before.
    for (let i = 0; i < 17; i++) t.equal((await list(`user ${i}`, '192.0.2.1')).status, 200)
    limited(t, await list('bob', '192.0.2.1'), 60, 'one address')
    t.equal((await list('bob', '192.0.2.9')).status, 200)
  })

  t.test('whoever signs in on the pages is the same user', async (t) => {
    const site = await startApp(t, { SIGNING_ALG: 'EdDSA', LIMIT_ACCOUNT_PER_MINUTE: '2' })
    const visitor = await signedIn(site)
    for (const path of ['/account/clients', '/account/connections']) t.equal((await visitor.get(path)).status, 200)
    const page = await visitor.get('/account/clients')
    t.match([page.status, page.headers['retry-after']], [429, '60'])
    t.equal((await visitor.get('/device')).status, 200, 'a code can still be entered')
  })
})

t.test('wrong secrets of a client', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  for (const [name, variables] of [
    ['memory', {}],
    ['Redis', { REDIS_URL: redis.url }]
  ] as const) {
    t.test(`ten from one address lock that client there, and nothing else, in ${name}`, async (t) => {
      const service = await startOAuthApp(t, { ...behindProxy, LIMITS: 'on', ...variables })
      const { clock, post } = service
      const ask = (secret: string, ip: string, path = '/oauth/token') =>
        post(
          path,
          { client_id: BOX.client_id, client_secret: secret, grant_type: DEVICE_CODE, device_code: 'x', token: 'x' },
          { 'x-forwarded-for': ip }
        )
      const right = BOX.client_secret as string
      t.equal((await ask(right, '192.0.2.1')).body.error, 'invalid_grant')
      t.equal((await ask('an old one', '192.0.2.3')).body.error, 'invalid_client')
      const rightOnes = await Promise.all(times(40, () => ask(right, '192.0.2.3')))
      t.same(tally(rightOnes.map(({ body }) => body.error)), { invalid_grant: 40 }, 'right ones are no guesses')
      // However many come at once, and wherever they come to, ten are looked at.
      const paths = ['/oauth/token', '/oauth/introspect', '/oauth/revoke']
      const burst = await Promise.all(times(30, (i) => ask(`wrong ${i}`, '192.0.2.1', paths[i % 3])))
      t.same(
        tally(burst.map(({ body }) => body.error)).invalid_client,
        10,
        JSON.stringify(tally(burst.map(({ status, body }) => `${status} ${body.error}`)))
      )
      const locked = await ask(right, '192.0.2.1')
      t.same([locked.status, locked.body.error], [400, 'slow_down'], 'not even the right one is told')
      t.match(locked.headers['retry-after'], ABOUT_900)
      t.equal((await ask(right, '192.0.2.1', '/oauth/introspect')).status, 429)
      t.equal((await ask(right, '192.0.2.2')).body.error, 'invalid_grant', 'elsewhere it is')
      const other = await post('/oauth/introspect', { ...API, token: 'x' }, { 'x-forwarded-for': '192.0.2.1' })
      t.equal(other.status, 200, 'and so are other clients there')
      if (name === 'Redis') {
        const second = await startOAuthApp(t, { ...behindProxy, LIMITS: 'on', ...variables }, { testClock: clock })
        const guess = () =>
          second.post(
            '/oauth/introspect',
            { ...BOX, client_secret: 'wrong', token: 'x' },
            { 'x-forwarded-for': '192.0.2.1' }
          )
        t.equal((await guess()).status, 429, 'another instance knows')
      }
      clock.advance(QUARTER_MS)
      if (name === 'memory') t.equal((await ask(right, '192.0.2.1')).body.error, 'invalid_grant', 'later it is again')
    })
  }

  t.test('a public client has none to guess, and polls with an empty one', async (t) => {
    const { post } = await startOAuthApp(t, { ...behindProxy, LIMITS: 'on', LIMIT_WRONG_SECRETS_PER_IP: '1' })
    const ask = (headers: Record<string, string>) =>
      post('/oauth/token', { ...CLI, grant_type: DEVICE_CODE, device_code: 'x' }, headers)
    for (let i = 0; i < 5; i++) t.equal((await ask(basicAuth(CLI))).body.error, 'invalid_grant')
  })
})

t.test('grants that wait', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  for (const [name, more] of [
    ['memory', {}],
    ['Redis', { REDIS_URL: redis.url }]
  ] as const) {
    const variables = { ...freely, ...more, LIMIT_PENDING_PER_IP: '3', LIMIT_PENDING_PER_CLIENT: '5' }
    t.test(`so many of an address and of a client, until they are decided or over, in ${name}`, async (t) => {
      if (name === 'Redis') await redis.client.flushall()
      const service = await startApp(t, variables)
      const others = name === 'Redis' ? await startApp(t, variables, { testClock: service.clock }) : service
      const { start, approve } = asking(service)
      const elsewhere = asking(others)
      const burst = await Promise.all(times(10, (i) => (i % 2 ? start : elsewhere.start)('192.0.2.1')))
      t.same(tally(burst.map(({ status }) => `${status}`)), { 200: 3, 429: 7 })
      limited(t, await start('192.0.2.1'), ABOUT_900, 'one more')
      for (const ip of ['192.0.2.2', '192.0.2.3']) t.equal((await elsewhere.start(ip)).status, 200)
      limited(t, await start('192.0.2.4'), ABOUT_900, 'the sixth of the client')
      const mine = burst.find(({ status }) => status === 200)
      t.equal((await approve(mine?.body.user_code, 'ann', '192.0.2.9')).status, 200)
      t.equal((await start('192.0.2.1')).status, 200, 'a decided one waits no more')
      limited(t, await start('192.0.2.1'), ABOUT_900)
      const [, yours] = burst.filter(({ status }) => status === 200)
      for (let i = 0; i < 2; i++) {
        await others.call('POST', '/auth/grant/revoke', { body: { grant_code: yours?.body.grant_code } })
      }
      t.equal(
        (await start('192.0.2.1')).status,
        200,
        'nor does one that its client has withdrawn, which frees one place'
      )
      limited(t, await start('192.0.2.1'), ABOUT_900)
      service.clock.advance(900_000)
      t.equal((await start('192.0.2.1')).status, 200, 'nor does one that is over')
    })

    t.test(
      `a /48 has places for ten of its networks, so that nobody fills a client with one, in ${name}`,
      async (t) => {
        if (name === 'Redis') await redis.client.flushall()
        const service = await startApp(t, { ...variables, LIMIT_PENDING_PER_IP: '1', LIMIT_PENDING_PER_CLIENT: '12' })
        const { start, approve } = asking(service)
        const burst = await Promise.all(times(20, (i) => start(`2001:db8:1:${i}::1`)))
        t.same(tally(burst.map(({ status }) => `${status}`)), { 200: 10, 429: 10 })
        t.match((await service.call('GET', '/metrics')).body, /limit="pending grants per \/48"\} 10$/m)
        limited(t, await start('2001:db8:1:ffff::1'), ABOUT_900, 'of a network that has none')
        t.equal((await start('2001:db8:2:1::1')).status, 200, 'another /48')
        t.equal((await start('192.0.2.1')).status, 200, 'an IPv4 address')
        limited(t, await start('192.0.2.2'), ABOUT_900, 'the client has no place any more')
        const mine = burst.find(({ status }) => status === 200)
        t.equal((await approve(mine?.body.user_code, 'ann', '192.0.2.9')).status, 200)
        t.equal((await start('2001:db8:1:ffff::1')).status, 200, 'a decided one leaves its place in both')
      }
    )

    t.test(`clients that are known by a URL have the places of one client together, in ${name}`, async (t) => {
      if (name === 'Redis') await redis.client.flushall()
      const { app } = await startApp(t, variables)
      const refusals: string[] = []
      const pending = createPendingGrants(app.storage.limits, {
        ...{ perAddress: 3, perClient: 5 },
        ...{ networkOf: () => undefined, siteOf: () => undefined },
        refused: (counted) => void refusals.push(counted)
      })
      const grantOf = (i: number) => ({
        grantDigest: `digest ${i}`,
        clientId: `https://${i}.example.com/tool`,
        ip: '192.0.2.1'
      })
      const enter = (i: number) => pending.enter(grantOf(i), 900_000)
      await Promise.all(times(5, enter))
      await t.rejects(enter(5), { code: 'too_many_requests' })
      t.strictSame(refusals, ['of clients known by a URL'])
      await t.resolves(pending.enter({ ...grantOf(6), clientId: 'cli' }, 900_000), 'other clients have their own')
      await pending.leave(grantOf(0))
      await t.resolves(enter(5), 'one that is decided leaves its place')
    })
  }

  t.test('the OAuth surface is told as well, by client', async (t) => {
    const { post } = await startOAuthApp(t, { ...behindProxy, LIMITS: 'on', LIMIT_PENDING_PER_CLIENT: '1' })
    t.equal((await post('/oauth/device_authorization', TV)).status, 200)
    const refusal = await post('/oauth/device_authorization', TV)
    t.same([refusal.status, refusal.body.error], [429, 'temporarily_unavailable'])
    t.match(refusal.headers['retry-after'], ABOUT_900)
    t.equal((await post('/oauth/device_authorization', CLI)).status, 200, 'another client')
  })
})

t.test('TRUSTED_CALLERS are counted by user, not by address', async (t) => {
  const service = await startApp(t, {
    ...behindProxy,
    TRUSTED_CALLERS: '192.0.2.7, 2001:db8:1::/48',
    ...{
      LIMIT_START_PER_MINUTE: '1',
      LIMIT_PEEK_PER_MINUTE: '10',
      LIMIT_MISSES_PER_IP: '2',
      LIMIT_PENDING_PER_IP: '1'
    },
    LIMIT_ACCOUNT_PER_MINUTE: '1'
  })
  const { start, peek } = asking(service)
  for (const ip of ['192.0.2.7', '2001:db8:1:2::3']) {
    for (let i = 0; i < 5; i++) t.equal((await start(ip)).status, 200, `${ip} may start many`)
    for (let i = 0; i < 20; i++) t.equal((await peek(WRONG, `user ${ip} ${i}`, ip)).status, 404, `${ip} calls for many`)
    for (let i = 0; i < 4; i++) await peek(WRONG, `user ${ip} 0`, ip)
    limited(t, await peek(WRONG, `user ${ip} 0`, ip), ABOUT_900, 'one of whom has missed too often')
    for (let i = 0; i < 12; i++) {
      const headers = { 'x-forwarded-for': ip }
      t.equal((await service.call('GET', '/auth/clients', { user: `owner ${ip} ${i}`, headers })).status, 200)
    }
  }
  for (let i = 0; i < 2; i++) await peek(WRONG, `somebody ${i}`, '192.0.2.8')
  limited(t, await peek(WRONG, 'somebody else', '192.0.2.8'), ABOUT_900, 'nobody else is trusted')
})

t.test('the secrets that TRUSTED_CALLERS send are not counted by their address either', async (t) => {
  const { post } = await startOAuthApp(t, { ...behindProxy, LIMITS: 'on', TRUSTED_CALLERS: '192.0.2.7' })
  const ask = (secret: string) =>
    post('/oauth/introspect', { ...BOX, client_secret: secret, token: 'x' }, { 'x-forwarded-for': '192.0.2.7' })
  for (let i = 0; i < 12; i++) t.equal((await ask(`wrong ${i}`)).status, 401)
  t.equal((await ask(BOX.client_secret as string)).status, 200, 'the right one is looked at')
})

t.test('ten wrong codes of some users lock out nobody behind the same address', async (t) => {
  const { peek } = asking(await startApp(t, behindProxy))
  for (const user of ['ann', 'bob']) {
    for (let i = 0; i < 5; i++) t.equal((await peek(WRONG, user, '192.0.2.1')).status, 404)
    limited(t, await peek(WRONG, user, '192.0.2.1'), ABOUT_900, user)
  }
  t.equal((await peek(WRONG, 'carol', '192.0.2.1')).status, 404)
})

t.test('LIMITS=off lifts all of it but the pacing of polls, and says so', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  const logger = { ...(loggerOptions('info') as object), stream }
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }, { logger })
  const { start, peek, approve } = asking(service)
  const statuses = new Map<number, number>()
  const count = ({ status }: Answer) => statuses.set(status, (statuses.get(status) ?? 0) + 1)
  for (let i = 0; i < 100; i++) count(await start('192.0.2.1'))
  for (let i = 0; i < 100; i++) count(await peek(WRONG, 'ann', '192.0.2.1'))
  for (let i = 0; i < 100; i++) count(await approve(WRONG, 'ann', '192.0.2.1'))
  t.strictSame(
    [...statuses],
    [
      [200, 100],
      [404, 200]
    ]
  )
  const { grant_code } = await service.start()
  for (let i = 0; i < 2; i++) await service.poll(grant_code)
  t.strictSame((await service.poll(grant_code)).body, { status: 'slow_down', interval: 10 })
  const warnings = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 40)
  t.equal(warnings.length, 1)
  t.match(warnings[0].msg, /^LIMITS=off/)
})
