/** The audit trail: what is told of whom, and that it holds no secret. What it promises and costs is in audit-trail-faults.test.ts. */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runApiKeysCommand } from '../../src/cli/api-keys.js'
import { rotateIssuerKey, runKeysCommand } from '../../src/cli/keys.js'
import { type AuditEvent, BY_OPERATOR, EVENT_TYPES, grantIdOf, wireFormOf } from '../../src/core/audit/event.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { startApp } from '../support/app.js'
import { eventsOf } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { answer, approved, codeRequest, redeemCode } from '../support/code-flow.js'
import { startOAuthApp } from '../support/oauth-app.js'
import { startIdentityProvider } from '../support/oidc-upstream.js'
import { startPlainProvider } from '../support/plain-upstream.js'
import { startRedis } from '../support/redis-server.js'
import { providersFile } from '../support/sign-in.js'
import { createVisitor, type Visitor } from '../support/visitor.js'

const server = await startRedis()
t.teardown(() => server.stop())
let prefixes = 0
/** Variables for a Redis of its own. */
const overRedis = () => ({ REDIS_URL: server.url, REDIS_PREFIX: `trail-${prefixes++}:` })
const ENGINES = { memory: () => ({}), 'two instances over Redis': overRedis }

const RULES = [{ name: 'no-demos', when: { client_type: 'demo' }, then: 'refuse', say: 'Not here.' }]
const PUBLIC_URL = 'http://localhost:3333'
const OSLO = { 'x-forwarded-for': '203.0.113.9', 'cf-ipcity': 'Oslo', 'cf-ipcountry': 'NO' }
const FROM_OSLO = { ip: '203.0.113.9', location: 'Oslo, NO' }
const HERE = { ip: '127.0.0.1' }
const APPROVE = { action: 'approve', same: 'yes' }

/** What an event tells, without its place in the trail. */
const told = ({ id: _id, atMs: _atMs, ...event }: AuditEvent) => event
const typesOf = (events: readonly AuditEvent[]) => events.map(({ type }) => type)
const grantIdOfCode = (code: string) => grantIdOf(digestOf(code))

for (const [name, variables] of Object.entries(ENGINES)) {
  t.test(`every event, with all its fields, and no secret: ${name}`, async (t) => everyEvent(t, variables()))
}

async function everyEvent(t: Test, engine: Record<string, string>): Promise<void> {
  const lines: string[] = []
  const acme = await startIdentityProvider(t, { publicUrl: PUBLIC_URL })
  const hub = await startPlainProvider(t, { publicUrl: PUBLIC_URL })
  const PROVIDERS_FILE = providersFile(t, [acme.entry(), hub.entry({ sign_in: false })])
  const RULES_FILE = join(t.testdir({ 'rules.json': JSON.stringify(RULES) }), 'rules.json')
  const variables = {
    ...engine,
    ...{ PROVIDERS_FILE, RULES_FILE },
    AUDIT_LOG: 'stdout',
    TRUST_PROXY: '127.0.0.1',
    EDGE_HEADERS: 'cloudflare'
  }
  const open = () => startOAuthApp(t, variables, { writeAuditLine: (line) => void lines.push(line) })
  const first = await open()
  const second = engine.REDIS_URL ? await open() : first
  // What is noticed at whichever moment would be told in between.
  await Promise.all([first, second].map(({ app }) => app.core.dataWatch.stop()))
  const secrets = new Set<string>()
  const keepCode = (code: string) => {
    const letters = code.replace('-', '')
    for (const spelling of [code, letters, letters.toLowerCase()]) secrets.add(spelling)
  }
  const all: AuditEvent[] = []
  /** What was told since the last call. */
  const since = async () => {
    const events = (await eventsOf(first.app)).slice(all.length)
    all.push(...events)
    return events.map(told)
  }
  const begin = async (clientId = 'cli') => {
    const { body } = await first.call('POST', '/auth/grant/code', { body: { client_type: clientId }, headers: OSLO })
    secrets.add(body.grant_code)
    keepCode(body.user_code)
    const of = { clientId, grantId: grantIdOfCode(body.grant_code) }
    return { code: body.grant_code as string, userCode: body.user_code as string, of }
  }
  const cid = (jwt: string) => String(claimsOf(jwt).cid)
  const ANN = { actor: 'user:ann', userId: 'ann' } as const
  const CLIENT = { actor: 'client:cli' } as const

  await t.test('a device: started, shown, approved, collected, renamed, revoked', async (t) => {
    const { code, userCode, of } = await begin()
    t.strictSame(await since(), [{ type: 'grant.started', ...CLIENT, ...FROM_OSLO, ...of }])
    for (let i = 0; i < 2; i++) {
      await second.call('GET', `/auth/grant/peek?user_code=${userCode}`, { user: 'ann', headers: OSLO })
    }
    t.strictSame(await since(), [{ type: 'grant.shown', ...ANN, ...FROM_OSLO, ...of }], 'once for a user')
    const body = { user_code: userCode, action: 'approve' }
    for (let i = 0; i < 2; i++) await second.call('POST', '/auth/grant/approve', { user: 'ann', body, headers: OSLO })
    const [approval, ...none] = await since()
    t.strictSame(none, [], 'a repetition on an instance that knows tells nothing more')
    const { authorizationId } = approval ?? {}
    t.strictSame(approval, { type: 'grant.approved', ...ANN, ...FROM_OSLO, ...of, authorizationId })
    const { jwt } = (await first.poll(code)).body
    t.equal(authorizationId, cid(jwt))
    secrets.add(jwt)
    first.clock.advance(5_000)
    secrets.add((await first.poll(code)).body.jwt)
    const ids = { clientId: 'cli', authorizationId }
    const collected = {
      type: 'grant.collected',
      ...CLIENT,
      ...HERE,
      userId: 'ann',
      ...of,
      authorizationId,
      detail: 'device'
    }
    t.strictSame(await since(), [collected], 'and so does a repeated collection')
    const rename = () =>
      second.call('PATCH', `/auth/clients/${authorizationId}`, { user: 'ann', body: { label: 'my label' } })
    const renamed = await rename()
    t.strictSame(await since(), [{ type: 'authorization.renamed', ...ANN, ...HERE, ...ids }])
    t.same([renamed.status, renamed.body.label], [200, 'my label'])
    t.strictSame((await rename()).body, renamed.body)
    t.strictSame(await since(), [], 'the label that it has already is answered, and not told')
    for (let i = 0; i < 2; i++) await second.call('DELETE', `/auth/clients/${authorizationId}`, { user: 'ann' })
    const revoked = { type: 'authorization.revoked', ...ANN, ...HERE, ...ids, detail: 'owner' }
    t.strictSame(await since(), [revoked], 'what is revoked is not revoked again')
  })

  await t.test('denied, withdrawn, and revoked by its own client', async (t) => {
    const [denied, withdrawn, held] = [await begin(), await begin(), await begin()]
    await since()
    for (let i = 0; i < 2; i++) await second.decide(denied.userCode, 'ann', 'deny')
    t.strictSame(await since(), [{ type: 'grant.denied', ...ANN, ...HERE, ...denied.of }])
    for (let i = 0; i < 2; i++) {
      await first.call('POST', '/auth/grant/revoke', { body: { grant_code: withdrawn.code }, headers: OSLO })
    }
    t.strictSame(await since(), [{ type: 'grant.withdrawn', ...CLIENT, ...FROM_OSLO, ...withdrawn.of }])
    await second.decide(held.userCode, 'ann')
    const { jwt } = (await first.poll(held.code)).body
    secrets.add(jwt)
    await since()
    await first.revoke(jwt)
    const ids = { userId: 'ann', clientId: 'cli', authorizationId: cid(jwt) }
    t.strictSame(await since(), [{ type: 'authorization.revoked', ...CLIENT, ...HERE, ...ids, detail: 'token' }])
  })

  await t.test('a refresh token that was used twice', async (t) => {
    const tokens = await first.tokens()
    const renewed = (await first.refresh(tokens.refresh_token)).body
    keepCode(tokens.user_code)
    for (const token of [tokens.refresh_token, tokens.access_token, tokens.id_token, tokens.device_code])
      secrets.add(token)
    for (const token of [renewed.refresh_token, renewed.access_token]) secrets.add(token)
    await since()
    // The clocks of two instances do not agree to the second here.
    first.clock.advance(60_000)
    if (second !== first) second.clock.advance(60_000)
    t.equal((await second.refresh(tokens.refresh_token)).status, 400)
    const ids = { userId: 'ann', clientId: 'cli', authorizationId: cid(tokens.access_token) }
    t.strictSame(await since(), [
      { type: 'authorization.revoked', actor: 'service', ...HERE, ...ids, detail: 'replay' },
      { type: 'refresh_token.replayed', ...CLIENT, ...HERE, ...ids }
    ])
  })

  await t.test('the pages: signed in, connected, shown, approved, undone, signed out', async (t) => {
    const ann = createVisitor(first)
    await ann.signInAt('acme', 'ann')
    const userId = (await since()).at(-1)?.userId ?? ''
    const by = { actor: `user:${userId}`, ...HERE, userId } as const
    const [{ detail: created = '' }, signedIn] = all.slice(-2) as [AuditEvent, AuditEvent]
    t.match(created, /^acme [0-9a-f-]{36}$/)
    t.strictSame(all.slice(-2).map(told), [
      { type: 'connection.created', ...by, detail: created },
      { type: 'user.signed_in', ...by, detail: 'acme' }
    ])
    t.not(signedIn.userId, 'ann')

    await ann.get('/account/connections')
    await ann.follow(ann.get(await ann.visitProvider('/account/connections/hub/connect', 'ann-at-hub')))
    const [connected] = await since()
    t.strictSame(connected, { type: 'connection.created', ...by, detail: connected?.detail })
    const [, id = ''] = /^hub (.*)$/.exec(connected?.detail ?? '') ?? []
    await ann.get('/account/connections')
    await ann.post(`/account/connections/${id}/disconnect`)
    t.strictSame(await since(), [{ type: 'connection.deleted', ...by, detail: `hub ${id}` }])

    const { userCode, of } = await begin()
    await since()
    await ann.enter(userCode)
    t.strictSame(await since(), [{ type: 'grant.shown', ...by, ...of }])
    await ann.follow(ann.post('/device/confirm', APPROVE))
    const [approval] = await since()
    const { authorizationId } = approval ?? {}
    t.strictSame(approval, { type: 'grant.approved', ...by, ...of, authorizationId })
    await ann.post('/device/undo')
    const ids = { clientId: 'cli', authorizationId }
    t.strictSame(await since(), [
      { type: 'authorization.revoked', ...by, ...ids, detail: 'owner' },
      { type: 'grant.undone', ...by, ...of, authorizationId }
    ])

    await code(t, ann, by)
    await ann.get('/logout')
    await ann.post('/logout')
    t.strictSame(await since(), [{ type: 'user.signed_out', ...by }])
    for (const page of ann.pages) for (const { value } of page.setCookies) if (value.length > 20) secrets.add(value)
  })

  async function code(
    t: Test,
    ann: Visitor,
    by: { actor: `user:${string}`; ip: string; userId: string }
  ): Promise<void> {
    const request = codeRequest()
    const code = await approved(ann, request)
    secrets.add(code).add(request.verifier)
    const of = { clientId: 'cli', grantId: grantIdOfCode(code) }
    const [started, shown, approval, ...none] = await since()
    t.strictSame(none, [])
    t.strictSame(started, { type: 'grant.started', ...CLIENT, ...HERE, ...of })
    t.strictSame(shown, { type: 'grant.shown', ...by, ...of })
    const { authorizationId } = approval ?? {}
    t.strictSame(approval, { type: 'grant.approved', ...by, ...of, authorizationId, detail: 'openid offline_access' })
    for (let i = 0; i < 2; i++) await redeemCode(second, code, request)
    const ids = { userId: by.userId, clientId: 'cli', authorizationId }
    t.strictSame(await since(), [
      { type: 'grant.collected', ...CLIENT, ...HERE, ...ids, ...of, detail: 'code' },
      { type: 'authorization.revoked', actor: 'service', ...HERE, ...ids, detail: 'code' }
    ])
    await ann.follow(ann.get(codeRequest().path))
    await answer(ann, 'deny')
    const [, , denial] = await since()
    t.strictSame(denial, { type: 'grant.denied', ...by, clientId: 'cli', grantId: denial?.grantId })

    const jwts = [await first.collect(by.userId), await first.collect(by.userId)]
    for (const jwt of jwts) secrets.add(jwt)
    await since()
    await ann.get('/account/clients')
    await ann.post('/account/clients/revoke-all')
    const revoked = await since()
    t.strictSame(new Set(revoked.map(({ authorizationId }) => authorizationId)), new Set(jwts.map(cid)))
    for (const { authorizationId: _id, ...event } of revoked) {
      t.strictSame(event, { type: 'authorization.revoked', ...by, clientId: 'cli', detail: 'owner' })
    }
  }

  await t.test('what the operator does: keys, API keys, blocking', async (t) => {
    const { core } = first.app
    const by = { actor: 'operator' } as const
    await since()
    await runKeysCommand(core.signingKeys, 'rotate', true)
    t.strictSame(await since(), [{ type: 'signing_key.rotated', ...by, detail: core.signingKeys.current()?.kid }])
    const issuer = await core.issuers.create('acme', { name: 'ci', description: '' })
    await since()
    const [line = ''] = await rotateIssuerKey(core, issuer.id, true)
    const [kid] = line.split(' ')
    t.strictSame(await since(), [{ type: 'signing_key.rotated', ...by, detail: `${kid} of provider ${issuer.id}` }])
    first.clock.advance(86_400_000 + 60_000)
    const keys = await core.issuerKeys.of(issuer.id)
    const rotated = {
      type: 'signing_key.rotated',
      actor: 'service',
      detail: `${keys.list().at(-1)?.kid} of provider ${issuer.id}`
    }
    t.strictSame(await since(), [rotated], 'and what the service does by itself')

    const [text = '', made = ''] = await runApiKeysCommand(core.apiKeys, 'create', ['acme'], { rights: 'tokens' })
    secrets.add(text)
    const [, id = ''] = /as (\S+),/.exec(made) ?? []
    await runApiKeysCommand(core.apiKeys, 'rights', ['acme', id], { rights: 'introspect' })
    await runApiKeysCommand(core.apiKeys, 'revoke', ['acme', id], {})
    t.strictSame(await since(), [
      { type: 'api_key.created', ...by, detail: `acme/${id} tokens` },
      { type: 'api_key.changed', ...by, detail: `acme/${id} introspect` },
      { type: 'api_key.revoked', ...by, detail: `acme/${id}` }
    ])

    await core.users.block('ann', BY_OPERATOR)
    await core.users.unblock('ann', BY_OPERATOR)
    t.strictSame(await since(), [
      { type: 'user.blocked', ...by, userId: 'ann' },
      { type: 'user.unblocked', ...by, userId: 'ann' }
    ])
  })

  await t.test('what a rule refuses, what is lost, and what an epoch ends', async (t) => {
    const { core, storage } = first.app
    await since()
    const { userCode, of } = await begin('demo')
    await since()
    for (let i = 0; i < 2; i++) {
      const peek = `/auth/grant/peek?user_code=${userCode}`
      const { status } = await second.call('GET', peek, { token: await second.session('ann'), headers: OSLO })
      t.equal(status, 403)
    }
    t.strictSame(await since(), [
      { type: 'rule.refused', actor: 'service', ...FROM_OSLO, userId: 'ann', ...of, detail: 'no-demos' }
    ])
    await storage.markers.delete('service', 'marker')
    await core.dataWatch.beat()
    const [lost, ...none] = await since()
    t.strictSame(none, [])
    t.match(lost, { type: 'data.lost', actor: 'service', detail: /^replaced: its marker is / })
    const beforeMs = first.clock()
    await core.epoch.begin(beforeMs, { apiKeys: true }, BY_OPERATOR)
    const detail = `before ${new Date(beforeMs).toISOString()}, API keys as well`
    t.strictSame(await since(), [{ type: 'epoch.begun', actor: 'operator', detail }])
  })

  await t.test('guesses, once for an address and its window', async (t) => {
    const limited = { ...variables, LIMITS: 'on', LIMIT_MISSES_PER_USER: '1' }
    const guessing = await startOAuthApp(t, limited, { writeAuditLine: (line) => void lines.push(line) })
    const guess = async (user: string, from: string) =>
      guessing.call('GET', '/auth/grant/peek?user_code=BBBB-BBBB', {
        token: await guessing.session(user),
        headers: { 'x-forwarded-for': from }
      })
    for (let i = 0; i < 4; i++) await guess('eve', '203.0.113.1')
    for (let i = 0; i < 3; i++) await guess('mallory', '203.0.113.1')
    for (let i = 0; i < 3; i++) await guess('mallory', '203.0.113.2')
    const limitedOnce = (user: string, ip: string) => ({
      ...{ type: 'guesses.limited', actor: `user:${user}`, ip, userId: user, detail: 'user codes' }
    })
    const events = await eventsOf(guessing.app)
    const ofGuesses = events.filter(({ type }) => type === 'guesses.limited')
    t.strictSame(ofGuesses.map(told), [limitedOnce('eve', '203.0.113.1'), limitedOnce('mallory', '203.0.113.2')])
    if (guessing.app.storage.engine === 'memory') all.push(...events)
    else await since()
    guessing.clock.advance(15 * 60_000)
    for (let i = 0; i < 3; i++) await guess('eve', '203.0.113.1')
    t.equal((await eventsOf(guessing.app)).length, events.length + 1, 'and again in the next one')
  })

  t.strictSame(new Set(typesOf(all)), new Set(EVENT_TYPES), 'every type was seen')
  const written = lines.map((line) => line.trimEnd())
  t.ok(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1))
  for (const event of all)
    t.ok(written.includes(JSON.stringify(wireFormOf(event))), `${event.type} is on standard output as well`)

  t.ok(secrets.size > 30, `${secrets.size} secrets`)
  const kept = JSON.stringify(
    await Promise.all([eventsOf(first.app), engine.REDIS_URL && rawOf(engine.REDIS_PREFIX ?? '')])
  )
  for (const secret of secrets) {
    t.notOk(kept.includes(secret), 'no secret is kept')
    t.notOk(
      written.some((line) => line.includes(secret)),
      'nor written'
    )
  }
}

const rawOf = (prefix: string) => server.client.xrange(`${prefix}events`, '-', '+')

t.test('the form on the wire', async (t) => {
  const lines: string[] = []
  const { app, start } = await startApp(t, { AUDIT_LOG: 'stdout' }, { writeAuditLine: (line) => void lines.push(line) })
  const { grant_code } = await start()
  const [event] = await eventsOf(app)
  const form = {
    ...{
      id: event?.id,
      at: new Date(event?.atMs ?? 0).toISOString(),
      type: 'grant.started',
      user_id: null,
      client_id: 'cli'
    },
    ...{ authorization_id: null, grant_id: digestOf(grant_code).slice(0, 16), actor: 'client:cli', ip: '127.0.0.1' },
    ...{ location: null, detail: null }
  }
  t.equal(lines.join(''), `${JSON.stringify(form)}\n`)
  t.strictSame(event && wireFormOf(event), form)

  lines.length = 0
  const env = { AUDIT_LOG: 'stdout', EVENTS_KEPT: '0' }
  await (await startApp(t, env, { writeAuditLine: (line) => void lines.push(line) })).start()
  t.match(JSON.parse(lines.join('')), { id: null, type: 'grant.started' }, 'nobody gives ids where none are kept')
})

t.test('nothing is written to standard output unless it is asked for', async (t) => {
  const { start, app } = await startApp(t, {}, { writeAuditLine: () => t.fail('a line') })
  await start()
  t.equal((await eventsOf(app)).length, 1)
})
