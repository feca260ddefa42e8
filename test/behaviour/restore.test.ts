/**
 * A restore drill, as docs/operations.md has it: a backup, a revocation, the restore, `grantd restore`. What was revoked stays revoked,
 * on one server, on several behind Sentinels and in a Cluster; and whoever lacks the rights for it is told so and changes nothing.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { GRANTD_SECRET } from '../support/app.js'
import { BY } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { CLI, type OAuthApp, startConnectedApp } from '../support/oauth-app.js'
import { type Run, runProgram } from '../support/programs.js'
import { addRedisAdministrator, addRedisUser, type RedisUser } from '../support/redis-acl.js'
import { startCluster } from '../support/redis-cluster.js'
import { startRedisWithSentinels } from '../support/redis-sentinel.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'

const PASSWORD = 'a-password'
const MINUTE_MS = 60_000
type Variables = Record<string, string>

const as = ({ url }: RedisServer, { username, password }: RedisUser): Variables => ({
  REDIS_URL: url.replace('//', `//${username}:${password}@`)
})
const grantd = (args: string, variables: Variables, kill?: AbortSignal): Promise<Run> => {
  const own = { GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, SIGNING_ALG: 'EdDSA', REDIS_TIMEOUT_MS: '30000' }
  return runProgram('cli.js', args.split(' '), { ...own, ...variables }, kill)
}

/** Restores a snapshot into another server, and makes the two users there. */
async function restored(t: Test, snapshot: string, directory: string) {
  const data = join(directory, 'data')
  await mkdir(data)
  await copyFile(snapshot, join(data, 'dump.rdb'))
  const redis = await startRedis('--dir', data, '--appendonly', 'no')
  t.teardown(() => redis.stop())
  const user = await addRedisUser([redis], PASSWORD)
  const administrator = await addRedisAdministrator([redis], PASSWORD)
  return { redis, service: as(redis, user), operator: as(redis, administrator) }
}

/** Everything that can be taken away, in use. */
async function inUse({ app, tokens, start, approve, clock }: OAuthApp) {
  const { core } = app
  clock.advance(1)
  const pending = await start()
  const approved = await start()
  await approve(approved.user_code)
  return {
    ...{ revoked: await tokens(), kept: await tokens(), pending, approved },
    session: (await core.browserSessions.begin({ userId: 'ann', name: 'Ann' }, BY)).token,
    key: await core.apiKeys.create('acme', {}, BY),
    otherKey: await core.apiKeys.create('acme', {}, BY)
  }
}

async function snapshot(redis: RedisServer, administrator: RedisUser, file: string): Promise<void> {
  const { REDIS_URL = '' } = as(redis, administrator)
  await promisify(execFile)('redis-cli', ['-u', REDIS_URL, '--no-auth-warning', '--rdb', file])
}

/** Who is let in: each by its name. */
async function letIn(service: OAuthApp, had: Awaited<ReturnType<typeof inUse>>): Promise<string[]> {
  const { core } = service.app
  const status = async (token: string) => (await service.call('GET', '/auth/clients', { token })).status
  const found: Record<string, boolean> = {
    revoked: (await status(had.revoked.access_token)) === 200,
    kept: (await status(had.kept.access_token)) === 200,
    'refresh of the revoked': (await service.refresh(had.revoked.refresh_token, CLI)).status === 200,
    session: (await core.browserSessions.use(had.session)) !== undefined,
    key: (await core.apiKeys.use(had.key.text, 'tokens')) !== undefined,
    'other key': (await core.apiKeys.use(had.otherKey.text, 'tokens')) !== undefined,
    collection: typeof (await service.poll(had.approved.grant_code)).body.jwt === 'string',
    approval: (await service.approve(had.pending.user_code)).status === 200
  }
  return Object.keys(found).filter((name) => found[name])
}

/** A service in use, of which a backup is made, and then an authorization is revoked. */
async function revokedAfterBackup(t: Test) {
  const directory = t.testdir({})
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const before = await startConnectedApp(t, { REDIS_URL: redis.url })
  const had = await inUse(before)
  const file = join(directory, 'grantd.rdb')
  await snapshot(redis, await addRedisAdministrator([redis], PASSWORD), file)
  const { cid } = claimsOf(had.revoked.access_token)
  t.equal((await before.call('DELETE', `/auth/clients/${cid}`, { user: 'ann' })).status, 200)
  return { before, had, file, directory }
}

// Each test has servers and instances of its own, and mostly waits for commands: two run side by side.
t.jobs = 2

t.test('a backup, a revocation, a restore, restore clean: revoked stays revoked', async (t) => {
  const { before, had, file, directory } = await revokedAfterBackup(t)
  await before.app.core.apiKeys.revoke('acme', had.key.key.id, BY)

  const { redis: there, service, operator } = await restored(t, file, directory)
  const all = async () => (await there.client.keys('*')).sort()
  const brought = await all()

  await t.test('the user of the service is refused with a word on why, and changes nothing', async (t) => {
    for (const verb of ['check', 'clean']) {
      const { code, stdout, stderr } = await grantd(`restore ${verb}`, service)
      t.equal(code, 1)
      t.equal(stdout, '')
      t.match(stderr, /this user of Redis may not use UNLINK.*administrator of deploy\/redis\/grantd-admin\.acl/)
    }
    t.strictSame(await all(), brought)
  })

  await t.test('check counts, ends with 3 and changes nothing', async (t) => {
    const { code, stdout, stderr } = await grantd('restore check', operator)
    t.equal(code, 3, stderr)
    t.match(stdout, / 3 {2}authorized clients\n/)
    for (const what of ['families of refresh tokens', 'sessions of the pages', 'grants', 'API keys', 'signing keys']) {
      t.match(stdout, new RegExp(` [1-9]\\d* {2}${what}\\n`))
    }
    const json = JSON.parse((await grantd('restore check --json', operator)).stdout)
    t.match(json, { clean: false, signingKeys: 1, keys: { 'authorized-client': 3, session: 1, 'api-key': 2 } })
    t.strictSame(await all(), brought)
  })

  await t.test('without it the revoked token would be good again', async (t) => {
    const careless = await startConnectedApp(t, service)
    t.equal((await careless.call('GET', '/auth/clients', { token: had.revoked.access_token })).status, 200)
    await careless.app.close()
  })

  await t.test('clean ends everything, and says what it cannot know', async (t) => {
    const { code, stdout, stderr } = await grantd('restore clean', operator)
    t.equal(code, 0, stderr)
    t.match(stdout, / 3 {2}authorized clients\n[\s\S]*what else was taken away since the backup is back: blocked users/)
    t.match(await grantd('restore check', operator), { code: 0, stdout: 'nothing is left to clean\n' })
    t.match(await grantd('restore clean', operator), { code: 0, stdout: /^nothing was left to clean\n/ })
  })

  const after = await startConnectedApp(t, service)
  t.strictSame(await letIn(after, had), [], 'nobody and nothing')
  after.clock.advance(MINUTE_MS)
  const { access_token } = await after.tokens()
  t.equal((await after.call('GET', '/auth/clients', { token: access_token })).status, 200, 'and the service goes on')
  t.ok(await after.app.core.browserSessions.begin({ userId: 'ann', name: 'Ann' }, BY))
})

t.test('with the audit log no more ends than what was taken away since the backup', async (t) => {
  const directory = t.testdir({})
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const before = await startConnectedApp(t, { REDIS_URL: redis.url })
  const had = await inUse(before)
  const file = join(directory, 'grantd.rdb')
  const reduced = await before.app.core.apiKeys.create('acme', { rights: ['introspect', 'admin:write'] }, BY)
  await snapshot(redis, await addRedisAdministrator([redis], PASSWORD), file)
  const later = await before.tokens()
  const { redis: there, service, operator } = await restored(t, file, directory)

  const at = (minutes: number) => new Date(before.clock() + minutes * MINUTE_MS).toISOString()
  const of = (token: string) => ({ authorization_id: claimsOf(token).cid, user_id: 'ann' })
  const lines = [
    { level: 30, msg: 'a line of the service itself' },
    { at: at(-60), type: 'grant.started', client_id: 'cli', actor: 'client:cli' },
    { at: at(5), type: 'authorization.revoked', ...of(had.revoked.access_token), detail: 'owner' },
    { at: at(6), type: 'authorization.revoked', ...of(later.access_token), detail: 'owner' },
    { at: at(7), type: 'user.blocked', user_id: 'bob', actor: 'operator' },
    { at: at(8), type: 'user.blocked', user_id: 'carol', actor: 'operator' },
    { at: at(9), type: 'user.unblocked', user_id: 'carol', actor: 'operator' },
    { at: at(9), type: 'api_key.revoked', actor: 'operator', detail: `acme/${had.key.key.id}` },
    { at: at(10), type: 'api_key.changed', actor: 'operator', detail: `acme/${reduced.key.id} introspect` }
  ]
  const log = join(directory, 'audit.log')
  await writeFile(log, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const options = `--revoked-from ${log} --since ${at(0)}`

  await t.test('a log that begins after the backup is refused, and so is one option without the other', async (t) => {
    const cases = [
      [`--revoked-from ${log} --since ${at(-61)}`, /begins at .*, after the backup/],
      [`--revoked-from ${log}`, /belong together/],
      [`--since ${at(0)}`, /belong together/],
      [`--revoked-from ${log} --since yesterday`, /expected a time such as/],
      [`--revoked-from ${join(directory, 'none')} --since ${at(0)}`, /ENOENT/]
    ] as const
    for (const [wrong, sentence] of cases) {
      t.match(await grantd(`restore clean ${wrong}`, operator), { code: 1, stdout: '', stderr: sentence })
    }
    await writeFile(
      `${log}.odd`,
      '{"at":"2026-01-01T00:00:00Z","type":"grant.started"}\n{"at":"2026-03-01T00:00:00Z","type":"user.blocked"}'
    )
    const odd = await grantd(`restore check --revoked-from ${log}.odd --since 2026-02-01T00:00:00Z`, operator)
    t.match(odd, { code: 1, stderr: /line 2 says user\.blocked, and not of what/ })
  })

  const found = JSON.parse((await grantd(`restore check --json ${options}`, operator)).stdout)
  t.match(found, {
    clean: false,
    signingKeys: 0,
    takenAway: { authorizations: 1, users: 1, apiKeys: 1, apiKeyRights: 1, connections: 0 }
  })
  t.notOk(found.keys['authorized-client'])
  t.equal((await grantd(`restore clean ${options}`, operator)).code, 0)
  t.match(await grantd(`restore check ${options}`, operator), { code: 0, stdout: 'nothing is left to clean\n' })

  const after = await startConnectedApp(t, service)
  t.strictSame(await letIn(after, had), ['kept', 'other key'], 'and who signs in again is signed in')
  t.ok(await after.app.core.users.isBlocked('bob'))
  t.notOk(await after.app.core.users.isBlocked('carol'))
  t.ok(await after.app.core.apiKeys.use(reduced.text, 'introspect'))
  await t.rejects(
    after.app.core.apiKeys.use(reduced.text, 'admin:write'),
    { code: 'forbidden' },
    'a right that was taken'
  )
  const { revocations } = await after.app.core.revocationFeed
    .read()
    .then((page) => (page === 'gone' ? { revocations: [] } : page))
  t.strictSame(
    new Set(revocations.map(({ authorizationId }) => authorizationId)),
    new Set([of(had.revoked.access_token), of(later.access_token)].map((one) => one.authorization_id)),
    'whoever verifies by themselves hears of both, also of that which the backup did not have'
  )
  t.ok((await there.client.keys('grantd:signing-keys')).length > 0)
})

t.test('what a command takes away is in the lines that it writes, and stays away by them', async (t) => {
  const directory = t.testdir({})
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const before = await startConnectedApp(t, { REDIS_URL: redis.url })
  const key = await before.app.core.apiKeys.create('acme', {}, BY)
  const file = join(directory, 'grantd.rdb')
  await snapshot(redis, await addRedisAdministrator([redis], PASSWORD), file)
  const since = new Date().toISOString()
  const early = JSON.stringify({ at: '2020-01-01T00:00:00Z', type: 'grant.started' })
  const env = { REDIS_URL: redis.url, AUDIT_LOG: 'stdout' }
  const { code, stderr } = await grantd(`api-keys revoke acme ${key.key.id}`, env)
  t.equal(code, 0)
  t.match(JSON.parse(stderr), { type: 'api_key.revoked', actor: 'operator', detail: `acme/${key.key.id}` })
  t.equal((await grantd('api-keys list acme', env)).stderr, '')
  const begun = await grantd('epoch begin', { ...env, ...as(redis, await addRedisAdministrator([redis], PASSWORD)) })
  t.equal(begun.code, 0, begun.stderr)
  const log = join(directory, 'audit.log')
  await writeFile(log, `${early}\n${stderr}${begun.stderr}`)
  const { service, operator } = await restored(t, file, directory)
  t.equal((await grantd(`restore clean --revoked-from ${log} --since ${since}`, operator)).code, 0)
  const after = await startConnectedApp(t, service)
  t.notOk(await after.app.core.apiKeys.use(key.text, 'tokens'))
  t.ok((await after.app.core.epoch.ends()).beforeMs >= Date.parse(since), 'the epoch as well')
})

t.test('API keys stay where the operator says so', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startConnectedApp(t, { REDIS_URL: redis.url })
  const had = await inUse(service)
  const operator = as(redis, await addRedisAdministrator([redis], PASSWORD))
  t.equal((await grantd('restore clean --keep-api-keys', operator)).code, 0)
  service.clock.advance(MINUTE_MS)
  t.ok(await service.app.core.apiKeys.use(had.key.text, 'tokens'))
  t.equal((await service.call('GET', '/auth/clients', { token: had.kept.access_token })).status, 401)
})

t.test('a clean that is killed in the middle lets nobody in, and is finished by the next one', async (t) => {
  const { had, file, directory } = await revokedAfterBackup(t)
  const { redis: there, service, operator } = await restored(t, file, directory)
  const fill = there.client.pipeline()
  for (let i = 0; i < 5_000; i++) fill.hset(`grantd:authorized-client:{u${i}}:a`, 'createdAtMs', '1')
  await fill.exec()
  const brought = await there.client.dbsize()

  await there.client.call('ACL', 'SETUSER', 'grantd-admin', '-unlink')
  t.equal((await grantd('restore clean', operator)).code, 1)
  t.equal(await there.client.dbsize(), brought, 'it is not begun without the right to finish')
  await there.client.call('ACL', 'SETUSER', 'grantd-admin', '+unlink')

  const proxy = await startFaultProxy(there.port, () => 1)
  t.teardown(() => proxy.close())
  const kill = new AbortController()
  const middle = proxy.stopAfter(/unlink\r\n\$\d+\r\ngrantd:authorized-client/i)
  const REDIS_URL = operator.REDIS_URL?.replace(`:${there.port}`, `:${proxy.port}`) ?? ''
  const killed = grantd('restore clean', { REDIS_URL }, kill.signal)
  t.ok(await Promise.race([middle.then(() => true), killed.then(() => false)]), 'it has begun to delete')
  kill.abort()
  t.not((await killed).code, 0)
  const left = (await there.client.keys('grantd:authorized-client:*')).length
  t.ok(left > 1_000 && left < brought, `${left} are left`)

  const meanwhile = await startConnectedApp(t, service)
  for (const { access_token: token } of [had.revoked, had.kept]) {
    t.equal((await meanwhile.call('GET', '/auth/clients', { token })).status, 401, 'all of it has ended first')
  }
  await meanwhile.app.close()
  const { code, stderr } = await grantd('restore clean', operator)
  t.equal(code, 0, stderr)
  t.strictSame(await there.client.keys('grantd:authorized-client:*'), [])
  t.match(await grantd('restore check', operator), { code: 0, stdout: 'nothing is left to clean\n' })
  t.strictSame(await letIn(await startConnectedApp(t, service), had), [], 'what was revoked stays revoked')
})

t.test('every primary of a Cluster is looked through', async (t) => {
  const cluster = await startCluster({ primaries: 3, steady: true })
  t.teardown(() => cluster.stop())
  const { username, password } = await addRedisAdministrator(cluster.nodes, PASSWORD)
  const operator = { REDIS_CLUSTER: cluster.seeds, REDIS_USERNAME: username, REDIS_PASSWORD: password }
  const service = await startConnectedApp(t, { REDIS_CLUSTER: cluster.seeds })
  service.clock.advance(1)
  const tokens = await Promise.all(
    Array.from({ length: 20 }, (_, i) => service.tokens(CLI, 'offline_access', `user ${i}`))
  )
  const counts = async () =>
    Promise.all(cluster.nodes.map(async ({ client }) => (await client.keys('grantd:authorized-client:*')).length))
  t.ok(
    (await counts()).every((count) => count > 0),
    'there are some at each'
  )
  const found = await grantd('restore check --json', operator)
  t.equal(found.code, 3, found.stderr)
  t.match(JSON.parse(found.stdout), { keys: { 'authorized-client': 20 } })
  const before = await counts()
  const last = cluster.nodes[2]?.client
  await last?.call('ACL', 'SETUSER', username, '-info')
  t.match(await grantd('restore clean', operator), { code: 1, stdout: '', stderr: /may not use INFO/ })
  t.strictSame(await counts(), before, 'it is not begun without the right to finish')
  await last?.call('ACL', 'SETUSER', username, '+info')
  const { code, stderr } = await grantd('restore clean', operator)
  t.equal(code, 0, stderr)
  t.strictSame(await counts(), [0, 0, 0])
  service.clock.advance(2_000)
  for (const { access_token, refresh_token } of tokens) {
    t.equal((await service.call('GET', '/auth/clients', { token: access_token })).status, 401)
    t.equal((await service.refresh(refresh_token, CLI)).status, 400)
  }
  await last?.call('ACL', 'SETUSER', username, '-scan')
  t.match(await grantd('restore check', operator), { code: 1, stdout: '', stderr: /may not use SCAN/ }, 'of one alone')
})

t.test('behind Sentinels, and the replicas have what is gone', async (t) => {
  const redis = await startRedisWithSentinels({ steady: true })
  t.teardown(() => redis.stop())
  const { username, password } = await addRedisAdministrator(redis.servers, PASSWORD)
  const place = { REDIS_SENTINELS: redis.sentinels, REDIS_SENTINEL_NAME: redis.name, REDIS_WAIT_REPLICAS: '1' }
  const operator = { ...place, REDIS_USERNAME: username, REDIS_PASSWORD: password }
  const primary = await redis.primary()
  await primary.client.hset('grantd:authorized-client:{ann}:a', 'createdAtMs', '1')
  const { code, stdout, stderr } = await grantd('restore clean', operator)
  t.equal(code, 0, stderr)
  t.match(stdout, / 1 {2}authorized clients\n/)
  t.equal(await primary.client.exists('grantd:authorized-client:{ann}:a'), 0)
})
