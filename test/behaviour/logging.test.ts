/** What is in the log, and what never is: every flow runs with a canary in every field, at the most talkative level. */
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { secretFields } from '../../schemas/generated/openapi.js'
import { loggerOptions, redactedPaths } from '../../src/logger.js'
import { type Answer, GRANTD_SECRET, startApp } from '../support/app.js'
import { startRedis } from '../support/redis-server.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'

/** A logger as in service, at its most talkative, that writes into a list. */
function recorder() {
  const lines: string[] = []
  const stream = { write: (line: string) => lines.push(line) }
  return { lines, logger: { ...(loggerOptions('trace') as object), stream } }
}

/** Whatever was written is one JSON object per line. */
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
    const service = await startApp(t, { ...variables, ...(redis && { REDIS_URL: redis.url }) }, { logger })
    const { app, call, clock } = service
    const session = await sessionOf('canary-user@example.com', { expires: '1d', claims: { email: 'canary-mail' } })
    const secrets = new Set([GRANTD_SECRET, DASHBOARD_SECRET, session, ...session.split('.')])
    const keep = ({ body, headers }: Answer) => {
      for (const name of secretFields) if (typeof body?.[name] === 'string') secrets.add(body[name])
      if (body?.user_code) secrets.add(body.user_code.replace('-', ''))
      if (body?.jwt) for (const part of body.jwt.split('.')) secrets.add(part)
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
    await mistakes()

    // What breaks inside carries everything it was called with.
    const { list } = app.authorizedClients
    app.authorizedClients.list = async () => {
      throw Object.assign(new TypeError('list is broken'), {
        command: { name: 'hgetall', args: ['canary-argument', session] },
        config: { authorization: session },
        headers: { authorization: session },
        jwt: session
      })
    }
    t.equal((await call('GET', '/auth/clients', { token })).status, 500)
    app.authorizedClients.list = list
    if (redis) {
      await redis.kill()
      clock.advance(60_000)
      t.equal((await call('GET', '/auth/clients', { token })).status, 503)
      await call('POST', '/auth/grant/token', { body: { grant_code: 'A'.repeat(43) } })
    }

    // Over a socket, where the framework and the runtime have words of their own.
    await app.listen({ port: 0, host: '127.0.0.1' })
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
    t.ok(secrets.size >= 25, `${secrets.size} secrets`)
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
    for (const status of [200, 400, 401, 403, 404, 405, 413, 415, 429, 500]) {
      t.ok(
        answered.some((entry) => entry.status === status),
        `${status} was seen`
      )
    }
    const broken = entries.find(({ msg, code }) => msg === 'refused' && code === 'internal')
    t.match(broken, { level: 50, err: { type: 'TypeError', message: 'list is broken' } }, 'with what an operator needs')
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
  t.strictSame(secretFields, ['grant_code', 'jwt', 'user_code', 'verification_uri_complete'])
  t.strictSame(redactedPaths, [
    'grant_code',
    '*.grant_code',
    'jwt',
    '*.jwt',
    'user_code',
    '*.user_code',
    'verification_uri_complete',
    '*.verification_uri_complete',
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
