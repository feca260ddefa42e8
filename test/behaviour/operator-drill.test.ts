/**
 * A drill: somebody has lost a laptop. An operator goes through it with the commands of the program, as the Redis user of
 * deploy/redis/grantd.acl, beside two instances.
 */
import t, { type Test } from 'tap'
import { BY_OPERATOR } from '../../src/core/audit/event.js'
import { START } from '../../src/core/authorizations/revocation-store.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { GRANTD_SECRET, PATIENT } from '../support/app.js'
import { claimsOf } from '../support/client.js'
import { approved, codeRequest, redeemCode } from '../support/code-flow.js'
import { CLI, type OAuthApp, startConnectedApp } from '../support/oauth-app.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { runOnTerminal, runProgram } from '../support/programs.js'
import { addRedisUser } from '../support/redis-acl.js'
import { startRedis } from '../support/redis-server.js'
import { providersFile } from '../support/sign-in.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'
import { createVisitor, type Visitor } from '../support/visitor.js'

const PUBLIC_URL = 'https://grants.example'
const EMAIL = 'ann@a.example'
const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })

/** Two instances over a Redis of their own, and the commands. */
async function setUp(t: Test, variables: Record<string, string> = {}) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { username, password } = await addRedisUser([redis], 'secret')
  const url = redis.url.replace('//', `//${username}:${password}@`)
  const settings = { REDIS_URL: url, PUBLIC_URL, PROVIDERS_FILE: providersFile(t, [acme.entry()]), ...variables }
  const [one, two] = [await startConnectedApp(t, settings), await startConnectedApp(t, settings)]
  const env = { ...PATIENT, REDIS_URL: url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, PUBLIC_URL }

  /** Runs a command to its end. */
  async function grantd(...args: string[]) {
    const { code, stdout, stderr } = await runProgram('cli.js', args, env)
    return { code, stdout, stderr }
  }
  /** Runs a command that is to succeed, with --json. */
  async function told(...args: string[]) {
    const { code, stdout, stderr } = await grantd(...args, '--json')
    if (code !== 0) throw new Error(`${args.join(' ')}: ${code} ${stderr}`)
    return JSON.parse(stdout)
  }
  return { one, two, grantd, told, env }
}

/** Ann signs in at one instance and at the other. */
async function signIn({ one, two }: { one: OAuthApp; two: OAuthApp }): Promise<Visitor[]> {
  const visitors = [createVisitor(one), createVisitor(two)]
  for (const visitor of visitors) await visitor.signInAt('acme', 'ann')
  return visitors
}

// Each has its own Redis, and mostly waits for commands, so they run side by side.
t.jobs = 3

const isSignedIn = async (visitor: Visitor) => (await visitor.get('/account/clients')).status === 200

t.test('a lost laptop: find by e-mail, look, revoke all, and see who did it', async (t) => {
  const drill = await setUp(t)
  const { one, two, told, grantd } = drill
  const visitors = await signIn(drill)
  t.strictSame(await Promise.all(visitors.map(isSignedIn)), [true, true])

  const { data } = await told('users', 'find', '--email', EMAIL.toUpperCase())
  t.equal(data.length, 1)
  const [{ id: userId }] = data
  t.match(await grantd('users', 'find', '--email', 'nobody@a.example'), {
    code: 1,
    stdout: '',
    stderr: /nobody is known/
  })
  const nobody = await grantd('users', 'find', '--email', 'nobody@a.example', '--json')
  t.match(nobody, { code: 1, stderr: /nobody is known/ }, 'the same code for programs')
  t.strictSame(JSON.parse(nobody.stdout), { data: [] })

  const held = await Promise.all([one, two, one, two].map((app) => app.tokens(CLI, 'offline_access', userId)))
  const waiting = await one.authorize()
  t.equal((await two.approve(waiting.user_code, userId)).status, 200)
  const other = await one.tokens(CLI, 'offline_access', 'bob')

  const shown = await told('users', 'show', userId)
  t.match(shown.counts, { active: 5, awaiting_collection: 1, accounts: 1 })
  t.equal(shown.clients.length, 5)
  const listed = await grantd('users', 'show', userId)
  t.match(listed.stdout, /^granted +5 active, 1 of them not collected yet$/m)
  for (const line of listed.stdout.split('\n')) t.ok(line.length <= 80, line)
  t.strictSame(
    (await told('clients', 'list', '--user', userId)).data.map(({ id }: { id: string }) => id).sort(),
    shown.clients.map(({ id }: { id: string }) => id).sort()
  )
  t.equal((await told('clients', 'list')).data.length, 6, 'of all users')
  const authorizationId = `${claimsOf(held[0]?.access_token ?? '').cid}`
  t.match(await told('clients', 'show', authorizationId), { user_id: userId, state: 'active' })

  t.strictSame(await told('users', 'revoke-all', userId), { user_id: userId, revoked: 5 })
  for (const app of [one, two]) {
    for (const { access_token, refresh_token } of held) {
      t.match((await app.introspect(access_token)).body, { active: false })
      t.match(await app.refresh(refresh_token), { status: 400, body: { error: 'invalid_grant' } })
      t.equal((await app.call('GET', '/auth/clients', { token: access_token })).status, 401)
    }
    t.match(await app.redeem(waiting.device_code), { status: 400, body: { error: 'access_denied' } })
    t.match((await app.introspect(other.access_token)).body, { active: true }, 'nobody else’s')
  }
  t.strictSame(await Promise.all(visitors.map(isSignedIn)), [false, false], 'the sessions have ended on both')
  t.strictSame(await told('users', 'revoke-all', userId), { user_id: userId, revoked: 0 }, 'again')

  const { stdout } = await grantd('events', '--type', 'authorization.revoked', '--user', userId, '--json')
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.equal(new Set(events.map(({ authorization_id }) => authorization_id)).size, 5)
  for (const { actor, user_id } of events) t.strictSame([actor, user_id], ['operator', userId])
  const said = await grantd('events', '--user', userId)
  t.match(said.stdout, /user\.signed_out +operator\n +user \S+, everywhere/)
  const feed = await two.app.storage.revocations.page(START, 100)
  const announced = feed === 'gone' ? [] : feed.revocations.map((one) => one.authorizationId)
  for (const { access_token } of held) t.ok(announced.includes(`${claimsOf(access_token).cid}`), 'verifiers are told')
})

t.test('a block: every door is shut within one request, on both instances, and opens again', async (t) => {
  const drill = await setUp(t)
  const { one, two, told, grantd } = drill
  const visitors = await signIn(drill)
  const [visitor = createVisitor(one)] = visitors
  const [{ id: userId }] = (await told('users', 'find', '--email', EMAIL)).data
  const apps = [one, two]
  const [connection] = await one.app.core.connections.list(userId)
  const session = await sessionOf(userId, { expires: '1d' })
  const { text: key } = await one.app.core.apiKeys.create('back', { rights: ['connected-accounts'] }, BY_OPERATOR)
  const held = await one.tokens(CLI, 'openid offline_access', userId)
  const [undecided, approvedBefore] = [await one.authorize(), await one.authorize()]
  t.equal((await two.approve(approvedBefore.user_code, userId)).status, 200)
  const request = codeRequest()
  const code = await approved(visitor, request)

  /** What each door answers at an instance. */
  async function doorsOf(app: OAuthApp, browser: Visitor) {
    const accessToken = (token: string) =>
      app.call('GET', `/api/v0/oauthAccounts/${connection?.id}/accessToken`, { token })
    const statusOf = async (answer: Promise<{ status: number }>) => (await answer).status
    return {
      introspection: (await app.introspect(held.access_token)).body.active,
      check: await statusOf(app.call('GET', '/oauth/check', { token: held.access_token })),
      userinfo: await statusOf(app.userinfo(held.access_token)),
      'dashboard API by a client': await statusOf(app.call('GET', '/auth/clients', { token: held.access_token })),
      'an account’s token for its user': await statusOf(accessToken(session)),
      'an account’s token for a back end': await statusOf(accessToken(key)),
      'a session of the pages': await isSignedIn(browser)
    }
  }
  const open = {
    introspection: true,
    check: 204,
    userinfo: 200,
    'dashboard API by a client': 200,
    'an account’s token for its user': 200,
    'an account’s token for a back end': 200,
    'a session of the pages': true
  }
  for (const [i, app] of apps.entries()) t.match(await doorsOf(app, visitors[i] as Visitor), open)

  t.match(await told('users', 'block', userId), { id: userId, blocked: true })
  for (const [i, app] of apps.entries()) {
    t.strictSame(await doorsOf(app, visitors[i] as Visitor), {
      introspection: false,
      check: 401,
      userinfo: 401,
      'dashboard API by a client': 401,
      'an account’s token for its user': 403,
      'an account’s token for a back end': 403,
      'a session of the pages': false
    })
    t.match(await app.refresh(held.refresh_token), { status: 400, body: { error: 'invalid_grant' } })
    t.match(await app.redeem(approvedBefore.device_code), { status: 400, body: { error: 'access_denied' } })
    t.equal((await app.approve(undecided.user_code, userId)).status, 403, 'no approval by the dashboard')
    t.equal((await redeemCode(app, code, request)).status, 400, 'no code')
    const anew = createVisitor(app)
    await anew.signInAt('acme', 'ann')
    t.equal(await isSignedIn(anew), false, 'no sign-in')
  }
  t.match((await grantd('users', 'show', userId)).stdout, /^blocked +since \d{4}-/m)

  t.match(await told('users', 'unblock', userId), { blocked: false })
  for (const [i, app] of apps.entries()) {
    t.match(await doorsOf(app, visitors[i] as Visitor), open, 'what was not revoked is valid again')
  }
  t.equal((await two.approve(undecided.user_code, userId)).status, 200)
  const { stdout } = await grantd('events', '--user', userId, '--json')
  const types = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ actor }) => actor === 'operator')
  t.strictSame(
    types.map(({ type }) => type),
    ['user.blocked', 'user.unblocked']
  )
})

t.test('the other commands, as that user of Redis', async (t) => {
  const { one, told, grantd, env } = await setUp(t, { LIMITS: 'on' })
  t.match(await grantd('grants', 'pending'), { code: 0, stdout: 'nothing waits\n' })
  const uncounted = await runProgram('cli.js', ['grants', 'pending'], { ...env, LIMITS: 'off' })
  t.match(uncounted, { code: 0, stdout: 'pending grants are not counted with LIMITS=off\n' })
  const { grant_code, user_code } = await one.start({ name: 'acme-cli' })
  const pending = await told('grants', 'pending')
  t.match(pending, { clients: [{ client_id: 'cli', count: 1 }], data: [{ client_name: 'acme-cli', ip: '127.0.0.1' }] })
  const shown = (await grantd('grants', 'pending')).stdout
  t.match(shown, /^WAIT +THE OLDEST SINCE +CLIENT\n1 +\d{4}-\S+ \S+ +cli\n\nGRANT +SINCE/)
  for (const secret of [grant_code, user_code])
    t.notOk(shown.includes(secret) || JSON.stringify(pending).includes(secret))
  const token = await one.collect('ann\u001b[31m')
  const id = `${claimsOf(token).cid}`
  t.match((await grantd('clients', 'list')).stdout, /user ann\\u\{1b\}\[31m/, 'a terminal obeys nobody’s name')
  t.match(await told('clients', 'list', '--active', '--client-id', 'cli'), { data: [{ id }] })
  t.match(await told('clients', 'revoke', id), { id, state: 'revoked' })
  t.match(await grantd('clients', 'show', id), { code: 0, stdout: /^state +revoked$/m })
  t.match(await told('clients', 'list', '--revoked'), { data: [{ id }] })
  t.match(await told('users', 'index'), { seen: 1, added: 0 })
  const noType = 'grantd: --client-type: there is no type cly; there are cli, mcp, demo, ide-plugin, other\n'
  const refused: [string, object][] = [
    ['clients list --client-type cly', { code: 1, stdout: '', stderr: noType }],
    ['clients show x', { code: 1, stdout: '', stderr: 'grantd: there is no authorization x\n' }],
    ['users show nobody', { code: 1, stderr: 'grantd: nothing is known of a user nobody\n' }],
    ['users find', { code: 1, stderr: /say who is looked for/ }],
    ['events --type nothing', { code: 1, stderr: /there is no event nothing/ }],
    ['events --after x', { code: 1, stderr: 'grantd: There is no such event.\n' }],
    ['users blok', { code: 2, stdout: '', stderr: /there is no command users blok\n\nusage: / }]
  ]
  const refusals = await Promise.all(refused.map(([command]) => grantd(...command.split(' '))))
  for (const [i, [command, answer]] of refused.entries()) t.match(refusals[i], answer, command)

  const following = runOnTerminal(t, 'cli.js', ['events', '--follow', '--type', 'user.blocked'], env)
  for (const name of ['first', 'second']) {
    // It begins with the end of the trail, so that what was told before it listens is not missed.
    await one.app.core.users.block(name, BY_OPERATOR)
    await following.shows(new RegExp(`user.blocked +operator\\n +user ${name}`))
  }
  following.type('\x03')
  t.not(await following.ended, 0)
})

t.test('keys and secrets for programs, as that user of Redis', async (t) => {
  const { one, told } = await setUp(t)
  const listed = await told('keys', 'list')
  t.match(listed, { data: [{ kid: String, alg: String, signs_from: /Z$/, state: 'signs', published: true }] })
  const { data } = await told('keys', 'rotate')
  t.strictSame(data[0], listed.data[0])
  t.match(data[1], { state: 'will_sign', published: true })
  const secret = await told('clients', 'secret')
  t.strictSame(secret, { client_secret: secret.client_secret, client_secret_digests: [digestOf(secret.client_secret)] })

  const { key, ...made } = await told('api-keys', 'create', 'acme', '--label', 'ci', '--expires-in-days', '1')
  const { id, created_at: createdAt } = made
  t.strictSame(made, {
    ...{ id, account: 'acme', rights: ['tokens'], label: 'ci', created_at: createdAt },
    expires_at: new Date(Date.parse(createdAt) + 86_400_000).toISOString(),
    ...{ last_used_at: null, revoked_at: null }
  })
  t.match(await one.app.core.apiKeys.use(key, 'tokens'), { id })
  const { last_used_at: usedAt, ...kept } = (await told('api-keys', 'list', 'acme')).data[0]
  t.strictSame({ ...kept, last_used_at: null }, made, 'and its text never again')
  t.match(usedAt, /Z$/)
  t.strictSame(await told('api-keys', 'list', 'nobody'), { data: [] })
  t.match(await told('api-keys', 'rights', 'acme', id, '--rights', 'introspect'), { id, rights: ['introspect'] })
  t.match(await told('api-keys', 'revoke', 'acme', id), { id, account: 'acme', revoked_at: /Z$/ })

  const issuer = await one.app.core.issuers.create('acme', { name: 'ci', description: '' })
  const rotated = await told('providers', 'rotate-key', issuer.id)
  t.match(rotated, { provider_id: issuer.id, kid: /^[\w-]{16}$/, signs_from: /Z$/ })
})

t.test('who follows the trail goes on after Redis was away', async (t) => {
  const own = await startRedis()
  t.teardown(() => own.stop())
  const env = { ...PATIENT, REDIS_URL: own.url, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, PUBLIC_URL }
  const block = async (name: string) =>
    t.match(await runProgram('cli.js', ['users', 'block', name], env), { code: 0, stderr: '' })
  await block('first')
  const following = runOnTerminal(t, 'cli.js', ['events', '--follow', '--type', 'user.blocked'], env)
  await following.shows('user first')
  await own.kill()
  await following.shows('grantd: Redis does not answer; trying again\n')
  await own.start()
  await following.shows('grantd: Redis is back\n')
  await block('second')
  await following.shows('user second')
  t.equal(following.screen().split('grantd: ').length, 3, 'one line for each')

  // As after a failover to a replica that lacked the second one, and whose clock is behind.
  const [first, second] = await own.client.xrange('grantd:events', '-', '+')
  if (!first || !second) throw new Error('two events')
  const third = second[1].map((value) => (value === 'second' ? 'third' : value))
  const changed = own.client
    .multi()
    .del('grantd:events')
    .xadd('grantd:events', first[0], ...first[1])
  await changed.xadd('grantd:events', `${first[0].split('-')[0]}-9`, ...third).exec()
  await following.shows('grantd: the trail has lost its end; what came shortly before is told once more\n')
  await following.shows('user third')
  following.type('\x03')
  t.not(await following.ended, 0)
})
