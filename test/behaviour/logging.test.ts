/**
 * Checks what the log has and what it never has: every flow runs with a canary in every field, at the level `trace`.
 */
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { secretFields } from '../../schemas/generated/openapi.js'
import { loggerOptions, redactedPaths } from '../../src/logger.js'
import { type Answer, GRANTD_SECRET, startApp } from '../support/app.js'
import { API, BOX, basicAuth, DEVICE_CODE, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

/** Makes a logger as in production, but at the level `trace` and into a list. */
function recorder() {
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  return { lines, logger: { ...(loggerOptions('trace') as object), stream } }
}

/** Parses the lines; each must be a JSON object. */
function parsed(t: Test, lines: string[]): Record<string, unknown>[] {
  return lines.map((line) => {
    t.equal(line.indexOf('\n'), line.length - 1, 'one line each')
    const entry = JSON.parse(line)
    t.type(entry.level, 'number')
    t.type(entry.msg, 'string')
    return entry
  })
}

for (const engine of ['memory', 'Redis']) {
  t.test(`no canary is in the log, over ${engine}`, async (t) => {
    const redis = engine === 'Redis' ? await startRedis() : undefined
    t.teardown(() => redis?.stop())
    const { lines, logger } = recorder()
    const variables = { LIMIT_START_PER_MINUTE: '20', TRUST_PROXY: '127.0.0.1', EDGE_HEADERS: 'cloudflare' }
    const place = { LIMITS: 'on', ...(redis && { REDIS_URL: redis.url }) }
    const service = await startOAuthApp(t, { ...variables, ...place }, { logger })
    const { app, call, post, clock } = service
    const session = await sessionOf('canary-user@example.com', { expires: '1d', claims: { email: 'canary-mail' } })
    const { client_secret = '' } = BOX
    const basic = basicAuth(BOX).authorization
    const secrets = new Set([GRANTD_SECRET, DASHBOARD_SECRET, client_secret, basic, basic.slice(6)])
    for (const part of [session, ...session.split('.')]) secrets.add(part)
    const keep = ({ body, headers }: Answer) => {
      for (const name of secretFields) if (typeof body?.[name] === 'string') secrets.add(body[name])
      if (body?.user_code) secrets.add(body.user_code.replace('-', ''))
      for (const name of ['jwt', 'access_token', 'id_token', 'refresh_token']) {
        for (const part of body?.[name]?.split('.') ?? []) secrets.add(part)
      }
      return { body, headers }
    }
    const headers = {
      'user-agent': 'canary-agent',
      cookie: 'sid=canary-cookie',
      'x-request-id': 'canary-request-id',
      referer: 'https://canary-referer.example/?x=1',
      'cf-ipcity': 'canary-city',
      'x-api-key': 'canary-key'
    }
    const ask = async (...[method, url, options]: Parameters<typeof call>) =>
      keep(await call(method, url, { ...options, headers: { ...headers, ...options?.headers } }))
    const metadata = { name: 'canary-name', version: 'canary-v', hostname: 'canary-host', os: 'canary-os' }
    const start = async () =>
      (await ask('POST', '/auth/grant/code', { body: { client_type: 'cli', client_metadata: metadata } })).body
    const token = session

    const flow = async () => {
      const [one, two] = [await start(), await start()]
      for (let i = 0; i < 2; i++) await ask('POST', '/auth/grant/token', { body: { grant_code: one.grant_code } })
      await ask('GET', `/auth/grant/peek?user_code=${one.user_code}&canary-query=canary-value`, { token })
      await ask('POST', '/auth/grant/approve', { token, body: { user_code: one.user_code, action: 'approve' } })
      await ask('POST', '/auth/grant/approve', { token, body: { user_code: two.user_code, action: 'deny' } })
      await ask('POST', '/auth/grant/approve', { token, body: { user_code: two.user_code, action: 'approve' } })
      for (const { grant_code } of [one, two]) await ask('POST', '/auth/grant/token', { body: { grant_code } })
      const { jwt } = (await ask('POST', '/auth/grant/token', { body: { grant_code: one.grant_code } })).body
      const [{ id }] = (await ask('GET', '/auth/clients', { token: jwt })).body.data
      await ask('PATCH', `/auth/clients/${id}`, { token: jwt, body: { label: 'canary-label' } })
      await ask('GET', `/auth/grant/peek?user_code=${one.user_code}`, { token: jwt })
      await ask('DELETE', `/auth/clients/${id}`, { token })
      await ask('GET', '/auth/clients', { token: jwt })
    }
    const oauthFlow = async () => {
      const form = async (path: string, parameters: Record<string, string>, more: Record<string, string> = {}) =>
        keep(await post(path, { ...parameters, 'canary-parameter': 'canary' }, { ...headers, ...more })).body
      const scope = 'openid offline_access reports.read'
      const [one, two] = [
        await form('/oauth/device_authorization', { ...BOX, client_secret, scope }),
        await form('/oauth/device_authorization', { scope }, { authorization: basic })
      ]
      const redeem = ({ device_code }: { device_code: string }, more = {}) =>
        form('/oauth/token', { ...BOX, client_secret, grant_type: DEVICE_CODE, device_code }, more)
      await redeem(one)
      await redeem(one)
      const held = redeem(two, { prefer: 'wait=30, canary="canary"' })
      while (app.core.heldPolls.count() === 0) await new Promise((resolve) => setImmediate(resolve))
      await ask('GET', `/auth/grant/peek?user_code=${one.user_code}`, { token })
      await ask('POST', '/auth/grant/approve', { token, body: { user_code: one.user_code, action: 'approve' } })
      await ask('POST', '/auth/grant/approve', { token, body: { user_code: two.user_code, action: 'deny' } })
      await held
      const first = await redeem(one)
      await form('/oauth/token', { client_id: 'cli', grant_type: DEVICE_CODE, device_code: one.device_code })
      const refresh = (refresh_token: string) =>
        form('/oauth/token', { ...BOX, client_secret, grant_type: 'refresh_token', refresh_token })
      const second = await refresh(first.refresh_token)
      await refresh(first.refresh_token)
      for (const { access_token, refresh_token, id_token } of [first, second]) {
        for (const token of [access_token, refresh_token, id_token]) {
          await form('/oauth/introspect', { ...API, client_secret: API.client_secret ?? '', token })
          await ask('GET', '/oauth/userinfo', { token })
          await ask('POST', '/oauth/userinfo', { token })
          await ask('GET', '/auth/clients', { token })
        }
      }
      await form('/oauth/revoke', { token: 'canary-token' }, { authorization: basic })
      await form('/oauth/revoke', { token: second.refresh_token }, { authorization: basic })
      await refresh(second.refresh_token)
      await ask('GET', '/oauth/userinfo', { token: second.access_token })
      for (const path of ['/oauth/device_authorization', '/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
        for (const parameters of [
          { client_id: 'canary-client', client_secret: 'canary-secret' },
          { client_id: 'box', client_secret: 'canary-secret', token: 'canary', grant_type: 'canary' },
          { client_id: 'cli', scope: 'canary"scope', token: 'canary', grant_type: 'canary', device_code: 'canary' },
          { client_id: 'canary'.repeat(100) }
        ]) {
          await form(path, parameters)
          await form(path, {}, { authorization: `Basic ${Buffer.from('canary:canary').toString('base64')}` })
        }
        const encoded = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
        for (const payload of ['client_id=canary&client_id=canary', 'client_id=%zzcanary', 'canary=%ff', 'canary']) {
          await app.inject({ method: 'POST', url: `${path}?client_id=canary`, headers: encoded, payload })
        }
      }
      await ask('GET', '/.well-known/openid-configuration?canary=canary')
      clock.advance(60_000)
    }
    const mistakes = async () => {
      for (const body of [
        {},
        { grant_code: ['canary-array'] },
        { grant_code: 'canary-code'.repeat(20) },
        { 'canary-field': 1 }
      ]) {
        await ask('POST', '/auth/grant/token', { body })
      }
      const json = { 'content-type': 'application/json' }
      for (const payload of [
        '{"grant_code":"canary-broken',
        'canary-text',
        '\u0000canary',
        Buffer.from('"canary\xff"', 'latin1'),
        `"${'canary'.repeat(4_000)}"`
      ]) {
        await app.inject({
          method: 'POST',
          url: '/api/v0/auth/grant/token?canary=canary',
          headers: { ...headers, ...json },
          payload
        })
      }
      await app.inject({
        method: 'POST',
        url: '/api/v0/auth/grant/token',
        headers: { 'content-type': 'canary/type' },
        payload: 'canary'
      })
      for (const url of [
        '/canary-path?user_code=canary-code',
        '/%zzcanary',
        '/api/v0/auth/clients/canary-id?x=canary',
        `/api/v0/auth/clients/${'canary'.repeat(50)}`,
        '/api/v0/auth/grant/peek',
        '/api/v0/auth/grant/peek?user_code=canary-c&user_code=canary-d',
        '/docs?canary=canary',
        '/healthz?canary=canary'
      ]) {
        for (const method of ['GET', 'PATCH', 'PUT'] as const) {
          await app.inject({ method, url, headers: { ...headers, authorization: `Bearer ${session}` } })
        }
      }
      for (const authorization of ['Basic canary', 'Bearer canary.canary.canary', `Bearer ${session}x`, 'canary']) {
        await app.inject({ url: '/api/v0/auth/clients', headers: { ...headers, authorization } })
      }
      for (let i = 0; i < 8; i++) await ask('GET', `/auth/grant/peek?user_code=canary-miss-${i}`, { token })
      for (let i = 0; i < 25; i++) await start()
    }
    await flow()
    await oauthFlow()
    await mistakes()

    // An exception may carry all arguments of the call that failed.
    const { page } = app.core.authorizations
    app.core.authorizations.page = async () => {
      throw Object.assign(new TypeError('page is broken'), {
        command: { name: 'hgetall', args: ['canary-argument', session] },
        config: { authorization: session },
        headers: { authorization: session },
        jwt: session
      })
    }
    t.equal((await call('GET', '/auth/clients', { token })).status, 500)
    app.core.authorizations.page = page
    if (redis) {
      await redis.kill()
      clock.advance(60_000)
      t.equal((await call('GET', '/auth/clients', { token })).status, 503)
      await call('POST', '/auth/grant/token', { body: { grant_code: 'A'.repeat(43) } })
    }

    // These requests go over a socket, because Fastify and Node.js then log messages of their own.
    await app.listen({ port: await freePort(), host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET /canary-raw HTTP/1.1\r\nHost: canary\r\ncanary: \u0001canary\r\n\r\n')
      )
      socket
        .on('close', () => resolve())
        .on('error', () => resolve())
        .resume()
    })
    await new Promise<void>((resolve) => {
      const asking = request({
        port,
        path: '/api/v0/auth/grant/token?canary',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 50 }
      })
      asking.on('error', () => resolve())
      asking.write('{"grant_code":"canary', () => setImmediate(() => asking.destroy()))
    })
    await new Promise((resolve) => setTimeout(resolve, 50))

    const entries = parsed(t, lines)
    const all = lines.join('')
    t.ok(entries.length >= 100, `${entries.length} lines`)
    t.ok(secrets.size >= 45, `${secrets.size} secrets`)
    for (const known of [/^grt_/, /^eyJ/, new RegExp(client_secret.slice(0, 4)), /^Basic /]) {
      t.ok(
        [...secrets].some((secret) => known.test(secret)),
        `${known} is among them`
      )
    }
    const leaked = [...secrets].filter((secret) => secret.length >= 8 && all.includes(secret))
    t.strictSame(leaked, [], 'no secret that was handed out or brought along')
    const canaries = lines.filter((line) => /canary/i.test(line))
    t.strictSame(canaries, [], 'nothing that somebody sent')
    t.notMatch(all, /user_code=|grant_code=|\?[a-z_-]+=/i, 'no query string')
    t.notMatch(all, /PRIVATE KEY/)

    const answered = entries.filter(({ msg }) => msg === 'answered')
    t.ok(answered.length >= 60, `${answered.length} requests`)
    const known = ['level', 'time', 'pid', 'hostname', 'reqId', 'method', 'route', 'status', 'ms', 'msg']
    for (const entry of answered) t.strictSame(Object.keys(entry), known)
    const routes = new Set(answered.map(({ route }) => route))
    t.ok(routes.has('/api/v0/auth/clients/:authorizedClientId') && routes.has('none'), 'patterns instead of paths')
    for (const name of ['device_authorization', 'token', 'revoke', 'introspect', 'userinfo']) {
      t.ok(routes.has(`/oauth/${name}`), name)
    }
    for (const status of [200, 400, 401, 403, 404, 405, 413, 415, 429, 500]) {
      t.ok(
        answered.some((entry) => entry.status === status),
        `${status} was seen`
      )
    }
    const broken = entries.find(({ msg, code }) => msg === 'refused' && code === 'internal')
    t.match(broken, { level: 50, err: { type: 'TypeError', message: 'page is broken' } }, 'with what an operator needs')
    t.strictSame(Object.keys(broken?.err as object), ['type', 'message', 'stack'])
  })
}

t.test('routine polls and probes say nothing at the level of service; what goes wrong does', async (t) => {
  const lines: string[] = []
  const logger = { ...(loggerOptions('info') as object), stream: { write: (line: string) => lines.push(line) } }
  const { call, start, poll } = await startApp(t, {}, { logger })
  const { grant_code } = await start()
  lines.length = 0
  for (let i = 0; i < 20; i++) await poll(grant_code)
  for (const url of ['/healthz', '/readyz', '/metrics', '/openapi.json']) await call('GET', url)
  t.strictSame(lines, [])
  await call('POST', '/auth/grant/token', { body: {} })
  const entries = parsed(t, lines)
  t.strictSame(
    entries.map(({ msg, code, status }) => [msg, code ?? status]),
    [
      ['refused', 'invalid_request'],
      ['answered', 400]
    ]
  )
  t.equal(entries[0]?.reqId, entries[1]?.reqId, 'both lines name the request')
})

t.test(
  'a poll at /oauth/token that brings nothing new is logged at debug only; every other answer is told',
  async (t) => {
    const logged = async (level: 'info' | 'debug') => {
      const lines: string[] = []
      const logger = { ...(loggerOptions(level) as object), stream: { write: (line: string) => lines.push(line) } }
      const { clock, authorize, approve, redeem } = await startOAuthApp(t, {}, { logger })
      const [pending, denied, approved] = [await authorize(), await authorize(), await authorize()]
      await approve(denied.user_code, 'ann', 'deny')
      await approve(approved.user_code)
      /** Returns the lines that were logged about one poll. */
      const about = async (deviceCode: string) => {
        lines.length = 0
        const { body } = await redeem(deviceCode)
        return parsed(t, lines).map(({ level, msg, route, status }) => [body.error ?? 'ok', level, msg, route, status])
      }
      const told = [await about(pending.device_code)]
      clock.advance(1_000)
      told.push(await about(pending.device_code))
      const rest = [await about(denied.device_code), await about(approved.device_code), await about('A'.repeat(43))]
      clock.advance(900_000)
      return { told, rest: [...rest, await about(pending.device_code)] }
    }
    const line = (error: string, level: number, status: number) => [[error, level, 'answered', '/oauth/token', status]]
    const rest = [
      line('access_denied', 30, 400),
      line('ok', 30, 200),
      line('invalid_grant', 30, 400),
      line('expired_token', 30, 400)
    ]
    t.strictSame(await logged('info'), { told: [[], []], rest })
    t.strictSame(await logged('debug'), {
      told: [line('authorization_pending', 20, 400), line('slow_down', 20, 400)],
      rest
    })
  }
)

t.test('the log names the request as the answer does, never as the caller did', async (t) => {
  const { lines, logger } = recorder()
  const { call } = await startApp(t, {}, { logger })
  for (const id of ['mine', '\u001b[31mred', '{"level":60}', 'x'.repeat(10_000)]) {
    lines.length = 0
    const { headers } = await call('GET', '/healthz', { headers: { 'x-request-id': id, 'request-id': id } })
    t.match(headers['x-request-id'], /^[\w-]{8}-[0-9a-z]+$/)
    const [entry] = parsed(t, lines)
    t.equal(entry?.reqId, headers['x-request-id'])
  }
})

t.test('what is redacted, name by name', async (t) => {
  t.strictSame(secretFields, [
    'accessToken',
    'access_token',
    'client_secret',
    'code_verifier',
    'device_code',
    'grant_code',
    'id_token',
    'jwt',
    'refresh_token',
    'token',
    'user_code',
    'verification_uri_complete'
  ])
  t.strictSame(redactedPaths, [
    ...secretFields.flatMap((name) => [name, `*.${name}`]),
    'authorization',
    '*.authorization',
    'cookie',
    '*.cookie',
    '["set-cookie"]',
    '*["set-cookie"]'
  ])
})

t.test('redaction catches what is logged by mistake', async (t) => {
  const { lines, logger } = recorder()
  const { app } = await startApp(t, {}, { logger })
  lines.length = 0
  const names = [...secretFields, 'authorization', 'cookie', 'set-cookie']
  const held = Object.fromEntries(names.map((name) => [name, `canary ${name}`]))
  app.log.info(held, 'at the top')
  app.log.info({ body: held, headers: held }, 'one level down')
  app.log.info({ req: { method: 'GET', url: '/x?canary', headers: held, routeOptions: { url: '/x' } } }, 'a request')
  app.log.error({ err: Object.assign(new Error('failed'), held) }, 'an error')
  t.notMatch(lines.join(''), /canary/)
  t.equal(lines.join('').split('[redacted]').length - 1, names.length * 3)
  t.equal(parsed(t, lines).length, 4)
})
