/**
 * `grantd epoch begin` ends whatever was issued before a moment, on every instance before it answers, and tells those who verify by
 * themselves. What is issued later stands.
 */
import t, { type Test } from 'tap'
import { GRANTD_SECRET } from '../support/app.js'
import { BY, eventsOf } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { CLI, type OAuthApp, startConnectedApp } from '../support/oauth-app.js'
import { runProgram } from '../support/programs.js'
import { addRedisAdministrator, addRedisUser } from '../support/redis-acl.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'

const grantd = (args: string, REDIS_URL: string) =>
  runProgram('cli.js', ['epoch', 'begin', ...args.split(' ').filter(Boolean)], {
    ...{ GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, SIGNING_ALG: 'EdDSA', REDIS_TIMEOUT_MS: '30000' },
    REDIS_URL
  })

/** Two instances over one Redis, and what operators reach it with. */
async function twoInstances(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const urlOf = (server: RedisServer, { username, password }: { username: string; password: string }) =>
    server.url.replace('//', `//${username}:${password}@`)
  const service = urlOf(redis, await addRedisUser([redis], 'a-password'))
  const operator = urlOf(redis, await addRedisAdministrator([redis], 'a-password'))
  const [here, there] = await Promise.all([
    startConnectedApp(t, { REDIS_URL: service }),
    startConnectedApp(t, { REDIS_URL: service })
  ])
  const pass = (ms: number) => {
    for (const { clock } of [here, there]) clock.advance(ms)
  }
  return { redis, service, operator, here, there, pass }
}

async function issued({ app, tokens, start, approve }: OAuthApp, user = 'ann') {
  const waiting = await start()
  await approve(waiting.user_code, user)
  return {
    tokens: await tokens(CLI, 'openid offline_access', user),
    waiting,
    session: (await app.core.browserSessions.begin({ userId: user, name: user }, BY)).token,
    key: await app.core.apiKeys.create('acme', {}, BY)
  }
}

type Issued = Awaited<ReturnType<typeof issued>>

async function goodAt({ app, call, introspect, refresh, userinfo, poll }: OAuthApp, had: Issued): Promise<string[]> {
  const { access_token: token, refresh_token } = had.tokens
  const found: Record<string, boolean> = {
    list: (await call('GET', '/auth/clients', { token })).status === 200,
    introspection: (await introspect(token)).body.active,
    userinfo: (await userinfo(token)).status === 200,
    session: (await app.core.browserSessions.use(had.session)) !== undefined,
    key: (await app.core.apiKeys.use(had.key.text, 'tokens')) !== undefined,
    refresh: (await refresh(refresh_token, CLI)).status === 200,
    collection: typeof (await poll(had.waiting.grant_code)).body.jwt === 'string'
  }
  return Object.keys(found).filter((name) => found[name])
}

// Each test has a Redis and instances of its own, and mostly waits for commands: two run side by side.
t.jobs = 2

t.test('everything of before is over at once on both instances, and what comes later is good', async (t) => {
  const { operator, here, there, pass } = await twoInstances(t)
  const [first, second] = [await issued(here), await issued(there, 'bob')]
  const third = await issued(here, 'carol')
  t.strictSame(
    await goodAt(there, third),
    ['list', 'introspection', 'userinfo', 'session', 'key', 'refresh', 'collection'],
    'all of it was good'
  )
  const { code, stdout, stderr } = await grantd('', operator)
  t.equal(code, 0, stderr)
  t.match(stdout, /^ended on every instance: what was issued before \d{4}-.*\n/)
  pass(2_000)
  t.strictSame(await goodAt(here, first), ['key'], 'API keys stay')
  t.strictSame(await goodAt(there, second), ['key'])
  t.equal((await here.call('GET', '/auth/clients', { user: 'ann' })).body.data[0].revoked_at === null, false)

  pass(60_000)
  const later = await issued(here)
  t.ok((await goodAt(there, later)).length === 7, 'as good as ever')
  const events = (await eventsOf(here.app)).filter(({ type }) => type === 'epoch.begun')
  t.match(events, [{ actor: 'operator', detail: /^before \d{4}-/ }])
})

t.test('those who verify by themselves are told of every authorization that has ended, once', async (t) => {
  const { operator, here, pass } = await twoInstances(t)
  const had = await Promise.all(Array.from({ length: 120 }, (_, i) => here.tokens(CLI, 'openid', `user ${i}`)))
  const told = async () => {
    const page = await here.app.core.revocationFeed.read()
    return page === 'gone' ? [] : page.revocations.map(({ authorizationId }) => authorizationId).sort()
  }
  t.strictSame(await told(), [])
  t.match(JSON.parse((await grantd('--json', operator)).stdout), { announced: 120, api_keys: false, before: String })
  t.strictSame(await told(), had.map(({ access_token }) => claimsOf(access_token).cid).sort())
  pass(2_000)
  t.match(
    JSON.parse((await grantd('--json', operator)).stdout),
    { announced: 0 },
    'again there is nobody left to tell of'
  )
})

t.test('with the user of the service everything ends here, and the operator is told what is left to do', async (t) => {
  const { service, operator, here, pass } = await twoInstances(t)
  const had = await issued(here)
  const { code, stdout, stderr } = await grantd('', service)
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /ended on every instance.*But it could not be announced.*may not use UNLINK.*grantd-admin\.acl/)
  pass(2_000)
  t.strictSame(await goodAt(here, had), ['key'])
  t.match(await grantd('', operator), { code: 0, stdout: /[1-9] authorized clients are announced/ })
})

t.test('API keys end where that is said, and a moment in the past ends what is older', async (t) => {
  const { operator, here, pass } = await twoInstances(t)
  const old = await issued(here)
  pass(60_000)
  const young = await issued(here, 'bob')
  const moment = new Date(here.clock() - 30_000).toISOString()
  for (const wrong of ['--before yesterday', '--before 2999-01-01T00:00:00Z']) {
    t.match(await grantd(wrong, operator), { code: 1, stderr: /--before: / }, wrong)
  }
  // The clock of the instances is ahead of this machine's, as far as they were turned.
  const before = new Date(Math.min(Date.parse(moment), Date.now())).toISOString()
  t.equal((await grantd(`--before ${before} --api-keys`, operator)).code, 0)
  pass(2_000)
  t.strictSame(await goodAt(here, old), [])
  t.strictSame(await goodAt(here, young), [
    'list',
    'introspection',
    'userinfo',
    'session',
    'key',
    'refresh',
    'collection'
  ])
  const keys = await here.app.core.apiKeys.list('acme')
  t.strictSame(keys.map(({ revokedAtMs }) => revokedAtMs !== undefined).sort(), [false, true], 'the list says so')
  await grantd('--before 2020-01-01T00:00:00Z', operator)
  pass(2_000)
  t.equal(
    (await here.call('GET', '/auth/clients', { token: old.tokens.access_token })).status,
    401,
    'no moment goes back'
  )
})

t.test('it costs no call for each request, and outlives a Redis that is away for a moment', async (t) => {
  const { redis, here, there, pass } = await twoInstances(t)
  // Their beats read too, at whichever moment.
  await Promise.all([here, there].map(({ app }) => app.core.dataWatch.stop()))
  const { access_token: token } = await here.tokens()
  const ask = async () => (await here.call('GET', '/auth/clients', { token })).status
  const reads = async () =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0)
  const costOf = async (times: number) => {
    const before = await reads()
    for (let i = 0; i < times; i++) t.equal(await ask(), 200)
    return (await reads()) - before
  }
  pass(2_000)
  const first = await costOf(1)
  t.equal(await costOf(20), 20 * (first - 1), 'one reads it, and those that come within a second do not')

  const { epoch } = here.app.core
  await redis.client.set('grantd:epoch:{service}:epoch', 'of somebody else')
  pass(1_000)
  t.same(await epoch.ends(), { beforeMs: 0, apiKeysBeforeMs: 0, beganAtMs: 0 }, 'what was read last holds')
  pass(30_000)
  await t.rejects(epoch.ends(), { code: 'unavailable' }, 'but not for ever')
  t.equal(await ask(), 503)
  await redis.client.del('grantd:epoch:{service}:epoch')
  t.equal(await ask(), 200)
})
