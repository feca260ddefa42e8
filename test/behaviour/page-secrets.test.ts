/**
 * The pages over Redis: where the secrets of a visit are kept and where they never appear, what a page says while Redis
 * is away or silent, and how many commands a page needs.
 */
import t, { type Test } from 'tap'
import { digestOf } from '../../src/core/secrets/digest.js'
import { type LogOptions, loggerOptions } from '../../src/logger.js'
import { en } from '../../src/routes/pages/texts/en.js'
import { refused } from '../routes/pages/expectations.js'
import { GRANTD_SECRET, IMPATIENT, PATIENT, startApp, whenReady } from '../support/app.js'
import { BY } from '../support/audit.js'
import { claimsOf } from '../support/client.js'
import { answer, codeRequest, LOOPBACK, queryOf } from '../support/code-flow.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { CLIENT_SECRET, startIdentityProvider, TOKEN_ENDPOINT } from '../support/oidc-upstream.js'
import { PLAIN_TOKEN_ENDPOINT, startPlainProvider } from '../support/plain-upstream.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { providersFile } from '../support/sign-in.js'
import type { Passage } from '../support/upstream-gate.js'
import { createVisitor, type Page, SESSION_COOKIE, type Visitor } from '../support/visitor.js'

const publicUrl = 'http://localhost:3333'
const freely = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
const APPROVE = { action: 'approve', same: 'yes' }

/** Returns everything that a Redis server holds: each key with its whole content. */
async function contentOf({ client }: RedisServer): Promise<string[]> {
  const keys = await client.keys('*')
  return Promise.all(
    keys.map(async (key) => {
      const type = await client.type(key)
      const read: Record<string, () => Promise<unknown>> = {
        string: () => client.get(key),
        hash: () => client.hgetall(key),
        zset: () => client.zrange(key, '0', '-1', 'WITHSCORES'),
        set: () => client.smembers(key),
        list: () => client.lrange(key, 0, -1),
        stream: () => client.xrange(key, '-', '+')
      }
      const content = read[type]
      if (!content) throw new Error(`a ${type} that nobody looks into`)
      return JSON.stringify([key, await content()])
    })
  )
}

t.test('no secret of a visit is anywhere but where it has to be', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  /** Every command that Redis has got, which also shows what it kept only for a short time. */
  const asked: string[] = []
  const monitor = await redis.client.monitor()
  t.teardown(() => monitor.disconnect())
  monitor.on('monitor', (_time: string, args: string[]) => asked.push(JSON.stringify(args)))
  const lines: string[] = []
  const logger = { ...(loggerOptions('trace') as object), stream: { write: (line: string) => lines.push(line) } }
  const acme = await startIdentityProvider(t, { publicUrl })
  const hub = await startPlainProvider(t, { publicUrl })
  const PROVIDERS_FILE = providersFile(t, [
    acme.entry(),
    hub.entry({ revocation_endpoint: `${hub.origin}/revoke`, sign_in: false })
  ])
  const variables = { SIGNING_ALG: 'EdDSA', REDIS_URL: redis.url, PROVIDERS_FILE, ADMINS: 'identity:acme:root' }
  const service = await startApp(t, variables, { logger })
  const { app, clock, call, start, poll } = service

  /** The secrets by kind. */
  const secrets = {
    session: new Set<string>(),
    form: new Set<string>(),
    ticket: new Set<string>(),
    sealed: new Set<string>(),
    userCode: new Set<string>(),
    grantCode: new Set<string>(),
    token: new Set<string>(),
    code: new Set<string>(),
    verifier: new Set<string>(),
    providerToken: new Set<string>(),
    providerCode: new Set<string>(),
    attempt: new Set<string>(),
    key: new Set<string>([GRANTD_SECRET, CLIENT_SECRET])
  }
  const remember: Passage = async ({ ask, form }) => {
    const reply = await ask()
    const { access_token, refresh_token, id_token } = JSON.parse(reply.body.toString())
    for (const token of [access_token, refresh_token, id_token]) if (token) secrets.providerToken.add(token)
    for (const name of ['code_verifier', 'code']) if (form.get(name)) secrets.attempt.add(form.get(name) ?? '')
    return reply
  }
  acme.at(TOKEN_ENDPOINT, remember)
  hub.at(PLAIN_TOKEN_ENDPOINT, remember)
  hub.expires = true

  const begin = async (metadata?: Record<string, string>) => {
    const grant = await start(metadata)
    const letters = grant.user_code.replace('-', '')
    for (const spelling of [grant.user_code, letters, letters.toLowerCase()]) secrets.userCode.add(spelling)
    secrets.grantCode.add(grant.grant_code)
    return grant
  }
  const visitors: Visitor[] = []
  const arrive = async (login: string) => {
    const visitor = createVisitor(service)
    visitors.push(visitor)
    await visitor.signInAt('acme', login)
    return visitor
  }

  // The visits include every action, and many that fail.
  const ann = await arrive('ann')
  const [approved, denied, undone, linked, expired] = await Promise.all([begin(), begin(), begin(), begin(), begin()])
  await ann.enter(approved.user_code)
  await ann.post('/device/confirm', { action: 'approve' })
  await ann.follow(ann.post('/device/confirm', APPROVE))
  secrets.token.add((await poll(approved.grant_code)).body.jwt)
  await ann.enter(denied.user_code)
  await ann.follow(ann.post('/device/confirm', { action: 'deny' }))
  await poll(denied.grant_code)
  await ann.enter(undone.user_code)
  await ann.follow(ann.post('/device/confirm', APPROVE))
  await ann.follow(ann.post('/device/undo'))
  for (const action of ['approve', 'deny'] as const) {
    const asking = codeRequest()
    secrets.verifier.add(asking.verifier)
    await ann.follow(ann.get(asking.path))
    const code = (await answer(ann, action)).searchParams.get('code')
    if (code === null) continue
    secrets.code.add(code)
    const sent = { grant_type: 'authorization_code', client_id: 'cli', code, redirect_uri: LOOPBACK }
    for (const code_verifier of [codeRequest().verifier, asking.verifier, asking.verifier]) {
      const payload = queryOf({ ...sent, code_verifier })
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const redeemed = await app.inject({ method: 'POST', url: '/oauth/token', headers, payload })
      if (redeemed.statusCode !== 200) continue
      const { access_token, refresh_token, id_token } = redeemed.json()
      for (const token of [access_token, refresh_token, id_token]) secrets.token.add(token)
    }
  }
  await ann.get('/account/clients')
  const [client] = await app.core.authorizations.list(
    (await app.core.browserSessions.use(ann.cookies.get(SESSION_COOKIE) ?? ''))?.userId ?? ''
  )
  await ann.follow(ann.post(`/account/clients/${client?.id}/rename`, { label: 'mine' }))
  await ann.follow(ann.post(`/account/clients/${client?.id}/revoke`))
  await ann.follow(ann.post('/account/clients/revoke-all'))
  await ann.post(`/account/clients/${client?.id}/rename`, { label: 'x'.repeat(300) })
  await ann.get('/account/connections')
  await ann.follow(ann.get(await ann.visitProvider('/account/connections/hub/connect', 'ann')))

  const bob = createVisitor(service)
  visitors.push(bob)
  await bob.follow(bob.get(`/device?code=${linked.user_code}`))
  const callback = await bob.visitProvider('/login/acme', 'bob')
  await createVisitor(service).get(callback)
  await bob.follow(bob.get(callback))
  await bob.get(callback)
  await bob.get('/device')
  await bob.follow(bob.post('/device', { user_code: linked.user_code.toLowerCase() }))
  const ticket = bob.hidden('ticket')
  await ann.get('/device')
  await ann.post('/device/confirm', { ...APPROVE, ticket })
  await bob.post('/device/confirm', { ...APPROVE, ticket, csrf: undefined })
  await bob.get('/device')
  await bob.post('/device', { user_code: linked.grant_code })
  await bob.get('/device')
  await bob.post('/device', { user_code: expired.user_code.slice(1) })
  await bob.get(`/device/${linked.user_code}?code=${linked.user_code}`)
  await bob.get(`/login/${bob.cookies.get(SESSION_COOKIE)}`)
  await bob.post(`/account/clients/${bob.cookies.get(SESSION_COOKIE)}/revoke`)
  await bob.get('/device')
  await bob.post('/device', { user_code: 'x'.repeat(20_000) })
  for (let i = 0; i < 5; i++) {
    await bob.get('/device')
    await bob.post('/device', { user_code: 'BBBB-BBBB' })
  }

  const planted = { accessToken: 'planted-access-token-0123456789', refreshToken: 'planted-refresh-token-0123456789' }
  for (const token of Object.values(planted)) secrets.providerToken.add(token)
  const cat = await arrive('cat')
  const catId = (await app.core.browserSessions.use(cat.cookies.get(SESSION_COOKIE) ?? ''))?.userId ?? ''
  await app.core.connections.keep(
    catId,
    'planted',
    {
      upstreamId: 'hub',
      identity: { subject: 'cat', username: 'cat', name: 'Cat' },
      tokens: { ...planted, scopes: ['repo'], expiresAtMs: clock() + 3_600_000 }
    },
    BY
  )
  const { text: apiKey } = await app.core.apiKeys.create(
    'operator',
    {
      label: 'back end',
      rights: ['connected-accounts']
    },
    BY
  )
  secrets.key.add(apiKey)
  const vend = (token: string) => call('GET', '/api/v0/oauthAccounts/planted/accessToken', { token })
  t.equal((await vend(apiKey)).body.accessToken, planted.accessToken)
  await vend(`${apiKey.slice(0, -1)}_`)
  await cat.get('/account/connections')
  await cat.post('/account/connections/planted/disconnect')
  await cat.get('/logout')
  await cat.follow(cat.post('/logout'))
  const root = await arrive('root')
  const bobId = (await app.core.browserSessions.use(bob.cookies.get(SESSION_COOKIE) ?? ''))?.userId ?? ''
  await root.get('/admin')
  await root.follow(root.post('/admin/find', { id: bobId }))
  const ofBob = `/admin/users/${bobId}`
  for (const what of ['block', 'unblock', 'revoke-all']) {
    await root.get(what === 'unblock' ? ofBob : `${ofBob}/${what}`)
    await root.follow(root.post(`${ofBob}/${what}`))
  }
  for (const path of [`${ofBob}/clients/${bob.cookies.get(SESSION_COOKIE)}/revoke`, '/admin/find']) {
    await root.post(path, { id: '' })
    await root.get('/admin/grants')
  }
  await root.get('/admin/events')
  await root.follow(root.post('/admin/events', { type: 'grant.approved', user: '' }))
  const ofAdmins = root.pages.filter(({ url, status }) => url.startsWith('/admin') && status === 200)
  t.equal(ofAdmins.length, 12, 'pages for admins')
  clock.advance(900_000)
  await ann.get('/device')
  await ann.post('/device', { user_code: expired.user_code })
  const refused = createVisitor(service)
  visitors.push(refused)
  await refused.get('/login')
  await refused.get(await refused.visitProvider('/login/acme', 'eve', 'refuse'))
  // An exception may carry all arguments of the call that failed.
  const { list } = app.core.connections
  app.core.connections.list = async (...args) => {
    throw Object.assign(new TypeError('list is broken'), { args, headers: { cookie: ann.cookies.header() } })
  }
  t.equal((await ann.get('/account/connections')).status, 500)
  app.core.connections.list = list

  const pages = visitors.flatMap((visitor) => visitor.pages)
  for (const { body, setCookies, location = '' } of pages) {
    for (const [, token = ''] of body.matchAll(/name="csrf" value="([\w-]+)"/g)) secrets.form.add(token)
    for (const [, text = ''] of body.matchAll(/name="ticket" value="([\w.-]+)"/g)) secrets.ticket.add(text)
    for (const { name, value } of setCookies.filter(({ value }) => value !== '')) {
      secrets[name === SESSION_COOKIE ? 'session' : 'sealed'].add(value)
    }
    const sent = location.startsWith('http') ? new URL(location).searchParams : new URLSearchParams()
    for (const name of ['state', 'nonce']) if (sent.get(name)) secrets.attempt.add(sent.get(name) ?? '')
  }
  for (const { url } of pages) {
    const code = url.includes('/callback?') ? new URLSearchParams(url.split('?')[1]).get('code') : null
    if (code !== null) secrets.providerCode.add(code)
  }
  const counts = Object.fromEntries(Object.entries(secrets).map(([kind, { size }]) => [kind, size]))
  const least = { session: 3, form: 25, ticket: 5, sealed: 10, userCode: 15, grantCode: 5, token: 4, code: 1 }
  for (const [kind, count] of Object.entries({ ...least, providerToken: 9, providerCode: 3, attempt: 12, key: 3 })) {
    t.ok((counts[kind] ?? 0) >= count, `${kind}: ${counts[kind]} of them`)
  }
  const all = Object.values(secrets).flatMap((set) => [...set])
  t.equal(all.filter((secret) => secret.length < 8).length, 0, 'none that is found by chance')
  const foundIn = (texts: readonly string[], among: Iterable<string> = all) =>
    [...among].filter((secret) =>
      texts.some((text) => text.includes(secret) || text.includes(encodeURIComponent(secret)))
    )

  await t.test('Redis, in any key or value, and in whatever it was asked', async (t) => {
    const held = await contentOf(redis)
    t.ok(held.length > 15, `${held.length} keys`)
    t.ok(asked.length > 200, `${asked.length} commands`)
    t.strictSame(foundIn(held), [])
    t.strictSame(foundIn(asked), [])
    const [token = ''] = [...secrets.session].filter((one) => held.some((text) => text.includes(digestOf(one))))
    t.match(token, /^[\w-]{43}$/, 'sessions are there, by their digests')
    t.ok(held.some((text) => text.includes('sealedTokens')) && held.some((text) => text.includes('"ann"')), 'looked')
    t.ok(asked.some((text) => text.includes('sealedTokens')) && asked.some((text) => text.includes('"cat"')), 'looked')
  })

  await t.test('the log, at its most talkative', async (t) => {
    t.ok(lines.length > 90, `${lines.length} lines`)
    t.strictSame(foundIn(lines), [])
    t.notMatch(lines.join(''), /\?code=|user_code=|csrf=|ticket=/)
    for (const status of [200, 303, 400, 403, 404, 413, 429, 500]) {
      t.ok(
        lines.some((line) => line.includes(`"status":${status}`)),
        `${status} was seen`
      )
    }
  })

  await t.test('any Location, or a header but the one cookie', async (t) => {
    const locations = pages.flatMap(({ location = [] }) => location)
    const own = locations.filter((location) => location.startsWith('/'))
    t.ok(own.length >= 15, `${own.length} of them`)
    t.strictSame(foundIn(own), [])
    const { attempt, ...rest } = secrets
    const outside = locations.filter((location) => !location.startsWith('/'))
    t.ok(outside.length >= 5)
    t.strictSame(
      foundIn(
        outside,
        Object.values(rest).flatMap((set) => [...set])
      ),
      [],
      'the provider is told its own'
    )
    const verifiers = [...attempt].filter((one) => foundIn(outside, [one]).length === 0)
    t.ok(verifiers.length >= 4, 'and neither the verifier nor its code')
    for (const { headers } of pages) {
      const { 'set-cookie': _, location: __, ...others } = headers
      t.strictSame(foundIn([JSON.stringify(others)]), [])
    }
    const values = pages.flatMap(({ setCookies }) => setCookies)
    for (const { name, value } of values) {
      const kind = name === SESSION_COOKIE ? secrets.session : secrets.sealed
      t.strictSame(
        foundIn([value]).filter((secret) => !kind.has(secret)),
        [],
        name
      )
    }
  })

  await t.test(
    'any page, but what its form has, the code where it is compared, and the one that the browser brings',
    async (t) => {
      const { form, ticket, userCode, code, ...rest } = secrets
      const bringing = pages.filter(({ body }) => body.includes('http-equiv="refresh"'))
      t.equal(bringing.length, 2, 'an approval and a denial')
      t.strictSame(
        pages.filter(({ body }) => foundIn([body], code).length > 0),
        bringing.slice(0, 1)
      )
      const bodies = pages.map(({ body }) => body)
      t.strictSame(
        foundIn(
          bodies,
          Object.values(rest).flatMap((set) => [...set])
        ),
        []
      )
      const withoutForms = bodies.map((body) => body.replace(/<input type="hidden"[^>]*>/g, ''))
      t.strictSame(foundIn(withoutForms, [...form, ...ticket]), [])
      const isQuestion = ({ body }: Page) => body.includes(`<h1>${en.consent.title}</h1>`)
      const isLinked = ({ text }: Page) => text.includes(en.device.linked)
      const elsewhere = pages.filter((page) => !isQuestion(page) && !isLinked(page))
      t.strictSame(
        foundIn(
          elsewhere.map(({ body }) => body),
          userCode
        ),
        []
      )
      t.ok(pages.filter(isLinked).length >= 1, 'the form that a link filled in')
      for (const { body } of pages.filter(isLinked)) t.ok(body.includes(` value="${linked.user_code}" `))
      t.ok(pages.filter(isQuestion).length >= 5, 'and the question')
      for (const page of pages.filter(isQuestion)) t.equal(foundIn([page.body], userCode).length, 1, 'one code each')
    }
  )

  await t.test('any metric', async (t) => {
    t.strictSame(foundIn([await app.metrics.text()]), [])
  })
})

/** Starts the pages over Redis, and returns users who have visited all of them. */
async function startPages(
  t: Test,
  url: string,
  variables: Record<string, string> = freely,
  logger: LogOptions = false
) {
  const acme = await startIdentityProvider(t, { publicUrl })
  const PROVIDERS_FILE = providersFile(t, [acme.entry({ subject_is_user_id: true })])
  const service = await startApp(
    t,
    { ...IMPATIENT, ADMINS: 'user:root', ...variables, REDIS_URL: url, PROVIDERS_FILE },
    { logger }
  )
  const arrive = async (login: string) => {
    const visitor = createVisitor(service)
    await visitor.signInAt('acme', login)
    return visitor
  }
  return { acme, service, arrive }
}

t.test('while Redis is away', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  /** The logged reasons of refusals. */
  const reasons: string[] = []
  const stream = { write: (line: string) => void reasons.push(JSON.parse(line).detail ?? '') }
  const { service, arrive } = await startPages(t, redis.url, { SIGNING_ALG: 'EdDSA' }, { level: 'warn', stream })
  const { start, poll, app } = service
  const ann = await arrive('ann')
  const [client, waiting] = [await start({ name: 'Tool' }), await start()]
  await ann.enter(client.user_code)
  await ann.post('/device/confirm', APPROVE)
  const { jwt } = (await poll(client.grant_code)).body
  const [kept] = await app.core.authorizations.list('ann')
  const [account] = await app.core.connections.list('ann')
  await ann.enter(waiting.user_code)
  const form = { ...APPROVE, csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
  const { csrf } = form
  const asks: Record<string, () => Promise<Page>> = {
    'the question': () => ann.get('/device/confirm'),
    'the code': () => ann.get('/device'),
    'the result': () => ann.get('/device/done'),
    'the list': () => ann.get('/account/clients'),
    'the accounts': () => ann.get('/account/connections'),
    'signing in again': () => ann.get('/login'),
    'signing out': () => ann.get('/logout'),
    nowhere: () => ann.get('/account/nowhere'),
    'entering a code': () => ann.post('/device', { csrf, user_code: waiting.user_code }),
    approving: () => ann.post('/device/confirm', form),
    denying: () => ann.post('/device/confirm', { ...form, action: 'deny' }),
    undoing: () => ann.post('/device/undo', { csrf }),
    'signing out for good': () => ann.post('/logout', { csrf }),
    renaming: () => ann.post(`/account/clients/${kept?.id}/rename`, { csrf, label: 'x' }),
    revoking: () => ann.post(`/account/clients/${kept?.id}/revoke`, { csrf }),
    'revoking all': () => ann.post('/account/clients/revoke-all', { csrf }),
    disconnecting: () => ann.post(`/account/connections/${account?.id}/disconnect`, { csrf })
  }
  const root = await arrive('root')
  await root.get('/admin')
  Object.assign(asks, {
    'the search of an admin': () => root.get('/admin'),
    'a user, for an admin': () => root.get('/admin/users/ann'),
    'blocking a user': () => root.post('/admin/users/ann/block')
  })
  const cookies = ann.cookies.header()

  /**
   * Checks the page and the logged reason. The reason has the time limit, while the elapsed time depends on the
   * machine.
   */
  async function isAway(t: Test, reason: RegExp) {
    for (const [about, ask] of Object.entries(asks)) {
      reasons.length = 0
      const page = await ask()
      refused(t, page, 503, 'unavailable')
      t.match(page.headers['retry-after'], /^[2-4]$/, about)
      t.strictSame(page.setCookies, [], `${about}: nothing is given up for it`)
      t.match(reasons.filter(Boolean).at(-1), reason, about)
    }
    t.equal(ann.cookies.header(), cookies)
  }

  async function isAsBefore(t: Test) {
    await whenReady(service)
    t.equal((await poll(waiting.grant_code)).body.status, 'authorization_pending', 'nothing was decided')
    service.clock.advance(60_000)
    t.equal((await service.call('GET', '/auth/clients', { token: jwt })).status, 200, 'nor revoked')
    const [client] = await app.core.authorizations.list('ann')
    t.equal(client?.label, kept?.label)
    t.equal((await app.core.connections.list('ann')).length, 1)
    t.equal((await ann.get('/device')).status, 200, 'and whoever was signed in still is')
  }

  await t.test('503 gone: every page says so at once, and nothing is done', async (t) => {
    const back = createVisitor(service)
    await back.get('/login')
    const callback = await back.visitProvider('/login/acme', 'bob')
    await redis.kill()
    await isAway(t, /^(?!no answer from Redis|Redis took)/)
    const page = await back.get(callback)
    refused(t, page, 503, 'unavailable')
    t.equal(back.cookies.get(SESSION_COOKIE), undefined, 'nobody is signed in half')
    await redis.start()
    await isAsBefore(t)
    await back.get('/login')
    t.equal((await back.get(await back.visitProvider('/login/acme', 'bob'))).status, 303)
  })

  await t.test('503 silent: no page waits for long, and nothing is done', async (t) => {
    process.kill(redis.pid(), 'SIGSTOP')
    await isAway(t, /^(no answer from Redis in 500 ms|Redis took more than 1000 ms in all|not connected to Redis)$/)
    process.kill(redis.pid(), 'SIGCONT')
    await isAsBefore(t)
  })

  await t.test('303 afterwards the form that was refused is taken', async (t) => {
    service.clock.advance(5_000)
    t.equal((await ann.post('/device/confirm', form)).location, '/device/done')
    t.equal((await poll(waiting.grant_code)).body.status, 'approved')
  })
})

t.test('503 what is not known is not claimed: a decision whose answer was lost may have been taken', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { service, arrive } = await startPages(t, redis.url)
  const ann = await arrive('ann')
  const { grant_code, user_code } = await service.start()
  await ann.enter(user_code)
  const form = { ...APPROVE, csrf: ann.hidden('csrf'), ticket: ann.hidden('ticket') }
  const { grants } = service.app.storage
  const { decide } = grants
  grants.decide = async (...args) => {
    // The pause delays the write. Redis runs it when the pause is ended, after the page has stopped waiting for it.
    await redis.client.call('CLIENT', 'PAUSE', '60000', 'WRITE')
    return decide(...args)
  }
  const page = await ann.post('/device/confirm', form)
  grants.decide = decide
  t.equal(page.status, 503)
  t.match(page.headers['retry-after'], /^[2-4]$/)
  t.notMatch(page.text, /nothing (was|has been) decided/i)
  await redis.client.call('CLIENT', 'UNPAUSE')
  await whenReady(service)
  t.equal((await service.poll(grant_code)).body.status, 'approved', 'it was')
  t.equal((await ann.post('/device/confirm', form)).location, '/device/done', 'sending it again does no harm')
})

t.test('how often a page asks Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const proxy = await startFaultProxy(redis.port, () => 1)
  t.teardown(() => proxy.close())
  const { service, arrive } = await startPages(t, proxy.url, { ...PATIENT, SIGNING_ALG: 'EdDSA' })
  const { app, start, poll } = service
  // What the instance asks by itself, every few seconds, would count as the page's.
  await app.core.close()
  const calls = async () => {
    // INFO is the command of the metrics themselves.
    const found = (await app.metrics.text()).matchAll(/^grantd_redis_seconds_count\{command="(?!info")[^}]*\} (\d+)$/gm)
    return [...found].reduce((sum, [, count]) => sum + Number(count), 0)
  }
  /** Every page counts its address first, so that nobody makes Redis work without a limit. */
  const ADDRESS = 1
  /** Then the session is looked up and, by what it says, whether its user is blocked. */
  const SESSION = ADDRESS + 2
  /** The pages of the account count their user as well. */
  const ACCOUNT = SESSION + 1
  type Ask = () => Promise<{ status: number }>
  /** Counts the commands of one page, and the round trips that they share. */
  const measure = async (ask: Ask) => {
    const [before, pieces] = [await calls(), proxy.pieces()]
    const { status } = await ask()
    const trips = proxy.pieces() - pieces
    return { status, calls: (await calls()) - before, trips }
  }

  /**
   * Returns every page for a user with three authorizations and one connection, in the order of a visit, with its
   * limits on commands and round trips.
   */
  async function looksOf(login: string): Promise<[string, number, number, number, Ask][]> {
    const visitor = await arrive(login)
    const grants = await Promise.all([start(), start(), start()])
    const [first = '', ...others] = grants.map(({ user_code }) => user_code)
    for (const code of others) {
      await visitor.enter(code)
      await visitor.post('/device/confirm', APPROVE)
    }
    for (const { grant_code } of grants) await poll(grant_code)
    const ids = (await app.core.authorizations.list(login)).map(({ id }) => id)
    const [account] = await app.core.connections.list(login)
    const stranger = createVisitor(service)
    const signing = createVisitor(service)
    await signing.get('/login')
    const callback = await signing.visitProvider('/login/acme', `${login} again`)
    await visitor.get('/device')
    const csrf = visitor.hidden('csrf')
    const root = await arrive('root')
    await root.get('/admin')
    const adminCsrf = root.hidden('csrf')
    const of = `/admin/users/${login}`
    const kept = claimsOf(await service.collect(login)).cid
    return [
      ['GET /login', 200, ADDRESS, ADDRESS, () => stranger.get('/login')],
      ['GET /login/acme', 303, ADDRESS + 1, ADDRESS + 1, () => stranger.get('/login/acme')],
      // The address by which operators find the user is written with the profile, and the sign-in is told.
      ['GET /login/acme/callback', 303, ADDRESS + 12, ADDRESS + 12, () => signing.get(callback)],
      ['GET /device?code=', 303, SESSION, SESSION, () => visitor.get(`/device?code=${first}`)],
      ['GET /device', 200, SESSION, SESSION, () => visitor.get('/device')],
      ['POST /device', 303, SESSION + 8, SESSION + 6, () => visitor.post('/device', { csrf, user_code: first })],
      ['GET /device/confirm', 200, SESSION + 4, SESSION + 4, () => visitor.get('/device/confirm')],
      // Two limits; the grant in two steps; the row, and beside it what it pushes off the list, and whose it is, which can be found by its
      // id alone; then the user's standing, for who revokes everything is to find the row; the decision; the places of the grant among
      // those that wait, of its address and of its client, and beside them the event.
      ['POST /device/confirm', 303, SESSION + 12, SESSION + 8, () => visitor.post('/device/confirm', APPROVE)],
      // The first poll came before the approval, and the page looks a few times for a result that is not collected yet.
      ['the poll that collects', 200, 11, 11, () => poll(grants[0]?.grant_code ?? '')],
      ['GET /device/done', 200, SESSION + 1, SESSION + 1, () => visitor.get('/device/done')],
      // Two limits, the grant in two steps, the row; that is announced, and told; the row again, and beside it what it pushes off the
      // list; done, and told.
      ['POST /device/undo', 303, SESSION + 11, SESSION + 10, () => visitor.post('/device/undo')],
      ['GET /account/clients', 200, ACCOUNT + 2, ACCOUNT + 2, () => visitor.get('/account/clients')],
      // It is read, because a label that it has already is no event; told, and written.
      [
        'POST …/rename',
        ...([303, ACCOUNT + 3, ACCOUNT + 3] as const),
        () => visitor.post(`/account/clients/${ids[0]}/rename`, { csrf, label: 'x' })
      ],
      [
        'POST …/revoke',
        ...([303, ACCOUNT + 6, ACCOUNT + 5] as const),
        () => visitor.post(`/account/clients/${ids[0]}/revoke`, { csrf })
      ],
      [
        'POST /admin/…/clients/…/revoke',
        ...([303, ACCOUNT + 6, ACCOUNT + 5] as const),
        () => root.post(`${of}/clients/${kept}/revoke`, { csrf: adminCsrf })
      ],
      // It is noted; then the ids and the rows, which are announced, told, end and push others off the list; done; then the ids of none,
      // and the fence.
      [
        'POST …/revoke-all',
        ...([303, ACCOUNT + 12, ACCOUNT + 12] as const),
        () => visitor.post('/account/clients/revoke-all', { csrf })
      ],
      // Whether an account signs in is looked up beside each account, for all at once.
      ['GET /account/connections', 200, ACCOUNT + 3, ACCOUNT + 3, () => visitor.get('/account/connections')],
      [
        'POST …/disconnect',
        ...([303, ACCOUNT + 6, ACCOUNT + 6] as const),
        () => visitor.post(`/account/connections/${account?.id}/disconnect`, { csrf })
      ],
      ['GET /logout', 200, SESSION, SESSION, () => visitor.get('/logout')],
      ['POST /logout', 303, SESSION + 2, SESSION + 2, () => visitor.post('/logout')],
      ['GET /device, not signed in', 303, ADDRESS, ADDRESS, () => visitor.get('/device')],
      ['GET /admin', 200, ACCOUNT, ACCOUNT, () => root.get('/admin')],
      // Who somebody is takes their standing, profile, identities, connections and counts.
      ['POST /admin/find', 303, ACCOUNT + 5, ACCOUNT + 3, () => root.post('/admin/find', { id: login })],
      // And the page a list of what they have granted, and the two parts of the trail.
      ['GET /admin/users/…', 200, ACCOUNT + 10, ACCOUNT + 7, () => root.get(of)],
      ['GET /admin/…/block', 200, ACCOUNT + 5, ACCOUNT + 3, () => root.get(`${of}/block`)],
      ['POST /admin/…/block', 303, ACCOUNT + 8, ACCOUNT + 6, () => root.post(`${of}/block`)],
      ['POST /admin/…/unblock', 303, ACCOUNT + 13, ACCOUNT + 9, () => root.post(`${of}/unblock`)],
      ['GET /admin/…/revoke-all', 200, ACCOUNT + 5, ACCOUNT + 3, () => root.get(`${of}/revoke-all`)],
      ['POST /admin/…/revoke-all', 303, ACCOUNT + 12, ACCOUNT + 10, () => root.post(`${of}/revoke-all`)],
      ['GET /admin/grants', 200, ACCOUNT + 12, ACCOUNT + 6, () => root.get('/admin/grants')],
      ['GET /admin/events', 200, ACCOUNT + 1, ACCOUNT + 1, () => root.get('/admin/events')],
      ['POST /admin/events', 303, ACCOUNT, ACCOUNT, () => root.post('/admin/events', { type: '', user: login })]
    ]
  }

  // The first run of a script takes another round trip, so one user goes through all pages first.
  for (const [name, status, , , ask] of await looksOf('ann')) t.equal((await ask()).status, status, name)
  for (const [name, status, mostCalls, mostTrips, ask] of await looksOf('bob')) {
    const found = await measure(ask)
    t.equal(found.status, status, name)
    t.ok(found.calls <= mostCalls, `${name}: ${found.calls} calls, at most ${mostCalls}`)
    t.ok(found.trips <= mostTrips, `${name}: ${found.trips} trips, at most ${mostTrips}`)
    t.equal(found.calls > 0, mostCalls > 0, `${name}: they were counted`)
  }
})
