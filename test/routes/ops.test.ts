import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { validate } from '@readme/openapi-parser'
import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { createLatencyHistogram } from '../../plugins/frequent-metrics.js'
import { openapiDocument } from '../../schemas/generated/openapi.js'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { type Answer, startApp, type TestApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { answer, approved, codeRequest, redeemCode } from '../support/code-flow.js'
import { API, BOX, CLI, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'
import { signedIn } from '../support/visitor.js'
import { oauthHeaders } from './expectations.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const REFUSED = '{"error":"Not Found"}'

/** What an open file is; nothing if it has been closed since it was listed. */
const targetOf = (descriptor: string) => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return ''
  }
}

const json = (t: Test, { headers }: Answer) => {
  t.equal(headers['content-type'], 'application/json; charset=utf-8')
  t.equal(headers['x-content-type-options'], 'nosniff')
}

/** RSA keys take long to make, and the kind of key matters only where a test names it. */
const startQuick = (t: Test, variables: Record<string, string> = {}) =>
  startApp(t, { SIGNING_ALG: 'EdDSA', ...variables })

t.test('GET /healthz', async (t) => {
  const { app, call } = await startQuick(t)
  const answer = await call('GET', '/healthz')
  t.equal(answer.status, 200, '200 the process is alive')
  t.strictSame(answer.body, { status: 'ok' })
  json(t, answer)
  app.readiness.drain()
  t.equal((await call('GET', '/healthz')).status, 200, '200 while it stops as well')
})

t.test('GET /readyz', async (t) => {
  t.test('200 with everything at hand', async (t) => {
    const { call } = await startQuick(t)
    const answer = await call('GET', '/readyz')
    t.equal(answer.status, 200)
    t.strictSame(answer.body, { status: 'ready' })
    json(t, answer)
  })

  t.test('503 while the instance stops, and its answers say goodbye', async (t) => {
    const { app, call } = await startQuick(t)
    t.notOk((await call('GET', '/healthz')).headers.connection === 'close')
    app.readiness.drain()
    const answer = await call('GET', '/readyz')
    t.equal(answer.status, 503)
    t.strictSame(answer.body, { status: 'not_ready', reason: 'the instance is stopping' })
    json(t, answer)
    t.equal(answer.headers.connection, 'close')
    t.equal((await call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })).status, 200, 'and it serves on')
  })

  t.test('503 while Redis is away, 200 when it is back; alive all the while', async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const { call } = await startQuick(t, { REDIS_URL: redis.url })
    t.equal((await call('GET', '/readyz')).status, 200)
    await redis.kill()
    const answer = await call('GET', '/readyz')
    t.equal(answer.status, 503)
    t.strictSame(Object.keys(answer.body), ['status', 'reason'])
    t.equal(answer.body.status, 'not_ready')
    t.equal((await call('GET', '/healthz')).status, 200)
    t.equal((await call('GET', '/.well-known/jwks.json')).status, 200, 'the keys are in memory')
    await redis.start()
    await until(async () => (await call('GET', '/readyz')).status === 200)
  })

  t.test('503 when Redis would drop records', async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const { call } = await startQuick(t, { REDIS_URL: redis.url })
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const answer = await call('GET', '/readyz')
    t.equal(answer.status, 503)
    t.match(answer.body.reason, /maxmemory-policy allkeys-lru/)
  })
})

t.test('GET /metrics', async (t) => {
  const { call, clock, start, poll, decide } = await startQuick(t)
  const read = async () => {
    const answer = await call('GET', '/metrics')
    t.equal(answer.status, 200)
    t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
    return answer.body as string
  }
  const value = (text: string, series: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length + 1) ?? 0
    )

  t.test('200 with the names that dashboards rely on', async (t) => {
    const names = [...(await read()).matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
    for (const name of [
      'grantd_polls_total counter',
      'grantd_code_redemptions_total counter',
      'grantd_grants_total counter',
      'grantd_decision_seconds histogram',
      'grantd_rule_refusals_total counter',
      'grantd_redis_seconds histogram',
      'grantd_limited_total counter',
      'grantd_refreshes_total counter',
      'grantd_revocations_total counter',
      'grantd_held_polls gauge',
      'grantd_held_polls_limit gauge',
      'grantd_decision_feed_up gauge',
      'grantd_ready gauge',
      'grantd_storage_up gauge',
      'grantd_signing_key_timestamp_seconds gauge',
      'grantd_user_code_misses_total counter',
      'grantd_answers_total counter',
      'grantd_answer_seconds histogram',
      'process_cpu_seconds_total counter',
      'process_resident_memory_bytes gauge',
      'nodejs_eventloop_lag_p99_seconds gauge'
    ]) {
      t.ok(names.includes(name), name)
    }
  })

  t.test('what is counted outside the metrics library is told as the library would tell it', async (t) => {
    const bounds = [0.001, 0.01, 0.1, 1]
    const about = { name: 'a_seconds', help: 'Seconds.' }
    const seconds = fc.oneof(fc.constantFrom(0, ...bounds), fc.double({ min: 0, max: 2, noNaN: true }))
    const observations = fc.array(fc.tuple(fc.constantFrom('get', 'a "quoted" one'), seconds), { maxLength: 50 })
    let compared = 0
    await fc.assert(
      fc.asyncProperty(observations, async (all) => {
        compared += all.length
        const [ours, theirs] = [new Registry(), new Registry()]
        const observe = createLatencyHistogram({ ...about, label: 'command', bounds, registry: ours })
        const library = new Histogram({ ...about, labelNames: ['command'], buckets: bounds, registers: [theirs] })
        for (const [command, value] of all) {
          observe(command, value)
          library.observe({ command }, value)
        }
        // The order of labels has no meaning.
        const lines = async (registry: Registry) => (await registry.metrics()).split('\n').map(withSortedLabels)
        if (!isDeepStrictEqual(await lines(ours), await lines(theirs))) throw new Error(await ours.metrics())
      }),
      { numRuns: 200 }
    )
    t.ok(compared > 500, `${compared} observations`)
  })

  t.test('200 and every outcome counts', async (t) => {
    const [approved, denied, expired] = [await start(), await start(), await start()]
    for (let i = 0; i < 3; i++) await poll(approved.grant_code)
    clock.advance(7_000)
    await decide(approved.user_code, 'ann')
    await decide(approved.user_code, 'ann')
    await decide(denied.user_code, 'ann', 'deny')
    await poll(approved.grant_code)
    await poll(approved.grant_code)
    clock.advance(31_000)
    await poll(approved.grant_code)
    await poll(denied.grant_code)
    await poll('A'.repeat(43))
    clock.advance(900_000)
    await poll(expired.grant_code)
    const text = await read()
    const polls = ['pending', 'slow_down', 'approved', 'denied', 'expired', 'spent', 'unknown'].map((outcome) => [
      outcome,
      value(text, `grantd_polls_total{outcome="${outcome}"}`)
    ])
    t.strictSame(Object.fromEntries(polls), {
      pending: 2,
      slow_down: 1,
      approved: 2,
      denied: 1,
      expired: 1,
      spent: 1,
      unknown: 1
    })
    const grants = ['started', 'approved', 'denied', 'collected'].map((outcome) => [
      outcome,
      value(text, `grantd_grants_total{outcome="${outcome}",flow="device"}`)
    ])
    t.strictSame(Object.fromEntries(grants), { started: 3, approved: 1, denied: 1, collected: 2 })
    t.equal(value(text, 'grantd_decision_seconds_count'), 2)
    t.equal(value(text, 'grantd_decision_seconds_sum'), 14)
  })

  t.test('200 refusals of a limit count, and no label holds what somebody sent', async (t) => {
    const before = value(await read(), 'grantd_limited_total{limit="start per address"}')
    for (let i = 0; i < 40; i++) await start({ name: 'canary-in-a-label' })
    const text = await read()
    t.ok(value(text, 'grantd_limited_total{limit="start per address"}') > before)
    t.notMatch(text, /canary-in-a-label|127\.0\.0\.1|\bann\b/)
  })

  t.test('200 refreshes and revocations count by what they came to, limits by their names', async (t) => {
    const limits = { LIMIT_REFRESH_PER_MINUTE: '7', LIMIT_REVOKE_PER_MINUTE: '3', LIMIT_INTROSPECT_PER_MINUTE: '1' }
    const service = await startOAuthApp(t, { LIMITS: 'on', LIMIT_USERINFO_PER_MINUTE: '1', ...limits })
    const { call, clock, session, tokens, refresh, revoke, introspect, userinfo } = service
    const [one, two] = [await tokens(BOX, 'openid offline_access'), await tokens(CLI)]
    const { body: next } = await refresh(one.refresh_token, BOX)
    await refresh(one.refresh_token, BOX)
    await refresh('grt_', BOX)
    await refresh(next.refresh_token, CLI)
    await refresh(next.refresh_token, BOX, 'admin')
    clock.advance(30_001)
    await refresh(one.refresh_token, BOX)
    await refresh(next.refresh_token, BOX)
    await refresh(next.refresh_token, BOX)
    for (const token of [two.access_token, two.access_token, 'x', 'y']) await revoke(token)
    const { data } = (await call('GET', '/auth/clients', { token: await session('ann') })).body
    await call('DELETE', `/auth/clients/${data[0].id}`, { token: await session('ann') })
    for (const _ of [1, 2]) await introspect('x', API)
    for (const _ of [1, 2]) await userinfo('x')
    const text = (await call('GET', '/metrics')).body as string
    const counts = (name: string, label: string) =>
      Object.fromEntries(
        [...text.matchAll(new RegExp(`^${name}\\{${label}="([^"]+)"\\} (\\d+)$`, 'gm'))].map(([, by, n]) => [
          by,
          Number(n)
        ])
      )
    t.strictSame(counts('grantd_refreshes_total', 'outcome'), {
      ...{ refreshed: 2, invalid: 3, invalid_scope: 1, replayed: 1 }
    })
    t.strictSame(counts('grantd_revocations_total', 'by'), { token: 1, owner: 1, operator: 0, replay: 1, code: 0 })
    t.strictSame(counts('grantd_limited_total', 'limit'), {
      ...{ 'refresh per address': 1, 'revoke per address': 1, 'introspect per caller': 1, 'userinfo per address': 1 }
    })
  })

  t.test('200 what a browser is asked counts from the question on, and codes by what they came to', async (t) => {
    const service = await startOAuthApp(t)
    const { call, clock } = service
    const ann = await signedIn(service)
    const read = async () => (await call('GET', '/metrics')).body as string
    t.match(await read(), /^grantd_revocations_total\{by="code"\} 0$/m, 'the first is an increase')
    const [used, late, denied] = [codeRequest(), codeRequest(), codeRequest()]
    await ann.get(codeRequest().path)
    await ann.get(codeRequest({ scope: 'x' }).path)
    const code = await approved(ann, used)
    const lateCode = await approved(ann, late)
    await ann.follow(ann.get(denied.path))
    await answer(ann, 'deny')
    for (const wrong of [{ code_verifier: denied.verifier }, {}, {}]) await redeemCode(service, code, used, wrong)
    clock.advance(60_000)
    await redeemCode(service, lateCode, late)
    const text = await read()
    const grants = ['started', 'approved', 'denied', 'collected'].map((outcome) =>
      value(text, `grantd_grants_total{outcome="${outcome}",flow="code"}`)
    )
    t.strictSame(grants, [4, 2, 1, 1])
    const outcomes = ['approved', 'unknown', 'spent'].map((outcome) =>
      value(text, `grantd_code_redemptions_total{outcome="${outcome}"}`)
    )
    t.strictSame(outcomes, [1, 2, 1])
    const revocations = ['owner', 'operator', 'token', 'replay', 'code'].map((by) =>
      value(text, `grantd_revocations_total{by="${by}"}`)
    )
    t.strictSame(revocations, [0, 0, 0, 0, 1])
  })

  t.test('200 who waits is counted, and whether decisions are heard', async (t) => {
    const { app, call, start, decide } = await startQuick(t)
    const read = async () => {
      const text = (await call('GET', '/metrics')).body as string
      return ['grantd_held_polls', 'grantd_decision_feed_up'].map((series) => value(text, series))
    }
    t.strictSame(await read(), [0, 1])
    const { grant_code, user_code } = await start()
    const body = { grant_code }
    const waiting = call('POST', '/auth/grant/token', { body, headers: { prefer: 'wait=30' } })
    while (app.core.heldPolls.count() === 0) await new Promise((resolve) => setImmediate(resolve))
    t.strictSame(await read(), [1, 1])
    await decide(user_code, 'ann')
    t.equal((await waiting).body.status, 'approved')
    t.strictSame(await read(), [0, 1])
    const { call: callAway } = await startQuick(t, { REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    t.match((await callAway('GET', '/metrics')).body, /^grantd_decision_feed_up 0$/m)
  })

  t.test('200 every answer counts by its status, those of operations with their time', async (t) => {
    const { call, start, poll, decide } = await startQuick(t)
    const { grant_code, user_code } = await start()
    await poll(grant_code)
    for (const path of ['/nowhere', '/healthz', '/docs/json']) await call('GET', path)
    await call('POST', '/auth/grant/code', { body: {} })
    const body = { grant_code: (await start()).grant_code }
    await call('POST', '/auth/grant/token', { body, headers: { prefer: 'wait=1' } })
    await decide(user_code, 'ann')
    const text = (await call('GET', '/metrics')).body as string
    const counts = Object.fromEntries(
      [200, 400, 404].map((status) => [status, value(text, `grantd_answers_total{status="${status}"}`)])
    )
    t.strictSame(counts, { 200: 7, 400: 1, 404: 1 })
    const timed = Object.fromEntries(
      [...text.matchAll(/^grantd_answer_seconds_count\{operation="(.+)"\} (\d+)$/gm)].map(([, name, n]) => [
        name,
        +`${n}`
      ])
    )
    t.strictSame(timed, { startGrant: 3, pollGrantToken: 1, getHealth: 1, decideGrant: 1 }, 'no poll that was held')
  })

  t.test('200 user codes that are not there count, whoever enters them', async (t) => {
    const { call, start, decide } = await startQuick(t, { LIMITS: 'on' })
    const { user_code } = await start()
    await call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' })
    await call('GET', '/auth/grant/peek?user_code=BCDF-GHJK', { user: 'ann' })
    await decide('BCDF-GHJK', 'bob')
    t.equal(value((await call('GET', '/metrics')).body as string, 'grantd_user_code_misses_total'), 2)
  })

  t.test('200 what state it is in: ready, with its storage, with a key', async (t) => {
    const state = async ({ call }: Pick<TestApp, 'call'>) => {
      const text = (await call('GET', '/metrics')).body as string
      return ['ready', 'storage_up', 'signing_key_timestamp_seconds'].map((name) => value(text, `grantd_${name}`))
    }
    const service = await startQuick(t, { HELD_POLLS: '7' })
    const sinceSeconds = service.clock() / 1000
    t.strictSame(await state(service), [1, 1, sinceSeconds])
    t.equal(value((await service.call('GET', '/metrics')).body, 'grantd_held_polls_limit'), 7)
    const next = await service.app.core.signingKeys.rotate('published-ahead', BY)
    t.strictSame(await state(service), [1, 1, sinceSeconds], 'the next one does not sign yet')
    service.clock.advance(next.signsFromMs - service.clock())
    t.strictSame(await state(service), [1, 1, next.signsFromMs / 1000])
    service.app.readiness.drain()
    t.strictSame(await state(service), [0, 1, next.signsFromMs / 1000])

    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const shared = await startQuick(t, { REDIS_URL: redis.url })
    t.match(await state(shared), [1, 1])
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    t.match(await state(shared), [0, 0], 'a Redis that would drop records is as good as none')
    await redis.kill()
    t.match(await state(shared), [0, 0])
    t.ok((await state(shared))[2], 'the key is in memory')
    const away = await startQuick(t, { REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    t.strictSame(await state(away), [0, 0, 0])
  })

  t.test('200 of one instance alone', async (t) => {
    const { call } = await startQuick(t)
    t.notMatch((await call('GET', '/metrics')).body, /^grantd_grants_total\{/m)
  })
})

t.test('the contract', async (t) => {
  const { app, call } = await startQuick(t, { PUBLIC_URL: 'https://grants.example.com' })

  t.test('200 GET /openapi.json is a valid document, with where the service is', async (t) => {
    const answer = await call('GET', '/openapi.json')
    t.equal(answer.status, 200)
    json(t, answer)
    t.ok((await validate(structuredClone(answer.body))).valid)
    t.strictSame(answer.body.servers, [{ url: 'https://grants.example.com' }])
    t.strictSame(Object.keys(answer.body.paths), Object.keys(openapiDocument.paths))
  })

  t.test('200 GET /docs shows it, from this origin alone', async (t) => {
    const moved = await call('GET', '/docs')
    const page = moved.status === 200 ? moved : await call('GET', String(moved.headers.location).replace('.', '/docs'))
    t.equal(page.status, 200)
    t.match(page.headers['content-type'], /^text\/html/)
    t.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self';/)
    t.notMatch(page.headers['content-security-policy'], /unsafe|https?:|validator/)
    t.equal(page.headers['x-content-type-options'], 'nosniff')
    const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => String(file))
    t.ok(files.length >= 5, `${files.length} files`)
    for (const file of files) {
      t.notMatch(file, /^(https?:)?\/\//, file)
      const { statusCode } = await app.inject({ url: new URL(file, 'http://localhost/docs/').pathname })
      t.equal(statusCode, 200, file)
    }
    const document = await call('GET', '/docs/json')
    t.same(document.body.paths, (await call('GET', '/openapi.json')).body.paths)
  })

  t.test('200 files of the documentation: their type, their policy, and 304 for whoever has them', async (t) => {
    for (const [file, type] of [
      ['swagger-ui.css', 'text/css; charset=utf-8'],
      ['swagger-ui-bundle.js', 'application/javascript; charset=utf-8'],
      ['favicon-32x32.png', 'image/png'],
      ['logo.svg', 'image/svg+xml']
    ] as const) {
      const url = `/docs/static/${file}`
      const { headers, rawPayload } = await app.inject(url)
      t.match(headers, { 'content-type': type, 'x-content-type-options': 'nosniff' }, file)
      t.match(headers['content-security-policy'], /^default-src 'none'/, file)
      t.match(headers, { 'cache-control': 'public, max-age=0', 'content-length': String(rawPayload.length) }, file)
      const head = await app.inject({ method: 'HEAD', url })
      t.strictSame([head.statusCode, head.rawPayload.length], [200, 0], file)
      t.equal(head.headers['content-length'], headers['content-length'], file)
      const again = await app.inject({ url, headers: { 'if-none-match': String(headers.etag) } })
      t.strictSame([again.statusCode, again.rawPayload.length], [304, 0], file)
      t.equal((await app.inject({ url, headers: { 'if-none-match': 'W/"another"' } })).statusCode, 200, file)
      const opaque = String(headers.etag).replace(/^W\//, '')
      for (const condition of [`"another, one", W/${opaque}`, opaque, ' * ']) {
        t.equal((await app.inject({ url, headers: { 'if-none-match': condition } })).statusCode, 304, condition)
      }
    }
    t.match(await app.inject('/docs/static/index.html'), { statusCode: 302, headers: { location: '/docs/' } })
  })

  t.test('the same bytes for everybody, so that answers that wait take no memory of their own', async (t) => {
    const service = buildApp(loadConfig({ SIGNING_ALG: 'EdDSA' }), { logger: false })
    t.teardown(() => service.close())
    const sent = new Map<string, Set<unknown>>()
    service.addHook('onSend', async ({ url }, _reply, payload) => {
      sent.set(url, (sent.get(url) ?? new Set()).add(payload))
    })
    const urls = ['/openapi.json', '/open-api.json', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui-bundle.js']
    for (const url of [...urls, ...urls, ...urls]) t.equal((await service.inject(url)).statusCode, 200, url)
    for (const url of urls) {
      const payloads = [...(sent.get(url) ?? [])]
      t.ok(payloads.length === 1 && Buffer.isBuffer(payloads[0]), url)
    }
  })

  t.test('whoever takes nothing of a file of the documentation keeps none open', async (t) => {
    await app.listen({ host: '127.0.0.1', port: await freePort() })
    const { port } = app.server.address() as AddressInfo
    const openFiles = () =>
      readdirSync('/proc/self/fd')
        .map(targetOf)
        .filter((path) => /swagger-ui.static/.test(path))
    for (let n = 0; n < 3; n++) {
      const socket = connect(port, '127.0.0.1')
      t.teardown(() => socket.destroy())
      socket.write('GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(8))
      await once(socket, 'readable')
    }
    t.strictSame(openFiles(), [])
  })
})

t.test('404 for the documentation where it is not shown: over Redis, and with DOCS=off', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const files = ['/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui.css', '/docs/nowhere']
  for (const [variables, status] of [
    [{ REDIS_URL: redis.url }, 404],
    [{ REDIS_URL: redis.url, DOCS: 'on' }, 200],
    [{ DOCS: 'off' }, 404],
    [{}, 200]
  ] as const) {
    const { call } = await startQuick(t, variables)
    for (const url of files) {
      const answer = await call('GET', url)
      t.equal(answer.status, url === '/docs/nowhere' ? 404 : status, `${JSON.stringify(variables)} ${url}`)
      if (answer.status === 404) t.strictSame(answer.body, { error: 'Not Found' })
    }
    t.equal((await call('GET', '/openapi.json')).status, 200, 'the contract itself is always there')
  }
  const { call } = await startQuick(t, { REDIS_URL: redis.url, VERIFICATION_URI: 'https://a.example/device' })
  const start = (await call('GET', '/')).body
  t.strictSame([start.documentation, start.openapi], [undefined, 'http://localhost:3333/openapi.json'])
})

t.test('404 files that the documentation has not, as they come from a socket', async (t) => {
  const { app } = await startQuick(t)
  await app.listen({ host: '127.0.0.1', port: await freePort() })
  const { port } = app.server.address() as AddressInfo
  const paths = [
    '%2e%2e/x',
    '../x',
    '..%2fx',
    '%2e%2e%2f%2e%2e%2fpackage.json',
    '%00',
    'a%5cb',
    '.env',
    '',
    '%2e',
    '.',
    '//'
  ]
  for (const path of [
    ...paths,
    'swagger-ui.css/',
    'swagger-ui.css%00',
    `${'x'.repeat(5_000)}`,
    'index.html%2f..%2fx'
  ]) {
    const answer = await new Promise<IncomingMessage>((resolve) =>
      request({ port, host: '127.0.0.1', path: `/docs/static/${path}`, agent: false }, resolve).end()
    )
    answer.resume()
    t.equal(answer.statusCode, 404, path.slice(0, 40))
  }
})

t.test('HTTPS alone where PUBLIC_URL says so, on every answer there is', async (t) => {
  for (const [PUBLIC_URL, header] of [
    ['https://grants.example.com', 'max-age=31536000'],
    ['http://localhost:3333', undefined]
  ] as const) {
    const { app } = await startQuick(t, { PUBLIC_URL })
    await app.listen({ host: '127.0.0.1', port: await freePort() })
    const { port } = app.server.address() as AddressInfo
    for (const url of [
      ...['/healthz', '/metrics', '/', '/docs', '/docs/static/swagger-ui.css', '/openapi.json', '/nowhere', '/device'],
      ...['/.well-known/jwks.json', '/oauth/token', '/v1/providers', '/api/v0/auth/clients', '/%zz', '/v1/%zz']
    ]) {
      for (const accept of ['application/json', 'text/html']) {
        const { headers } = await app.inject({ url, headers: { accept } })
        t.equal(headers['strict-transport-security'], header, url)
      }
    }
    const socket = connect(port, '127.0.0.1')
    socket.end('nothing\r\n\r\n')
    const [bytes] = await once(socket, 'data')
    const [, sent] = /strict-transport-security: (.*)\r\n/i.exec(String(bytes)) ?? []
    t.equal(sent, header, 'not even a request')
  }
})

t.test('how long a connection may be idle', async (t) => {
  for (const [variables, seconds] of [
    [{}, 72],
    [{ TRUST_PROXY: '10.0.0.1' }, 620],
    [{ TRUST_PROXY: '10.0.0.1', KEEP_ALIVE_SECONDS: '5' }, 5],
    [{ KEEP_ALIVE_SECONDS: '3600' }, 3_600]
  ] as const) {
    const { app } = await startQuick(t, variables)
    await app.listen({ host: '127.0.0.1', port: await freePort() })
    const { port } = app.server.address() as AddressInfo
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`)
    t.equal(answer.headers.get('keep-alive'), `timeout=${seconds}`, JSON.stringify(variables))
  }
})

t.test('GET /.well-known/jwks.json', async (t) => {
  const members: Record<string, string[]> = {
    RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
    ES256: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
    EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x']
  }
  for (const [alg, names] of Object.entries(members)) {
    t.test(`200 public members only, ${alg}`, async (t) => {
      const { call } = await startQuick(t, { SIGNING_ALG: alg })
      const answer = await call('GET', '/.well-known/jwks.json')
      t.equal(answer.status, 200)
      oauthHeaders(t, answer, alg, 'public, max-age=300')
      t.equal(answer.body.keys.length, 1)
      const [key] = answer.body.keys
      t.strictSame(Object.keys(key).sort(), names)
      t.match(key, { alg, use: 'sig', kid: /^[\w-]{16}$/ })
    })
  }

  t.test('200 with the next key before it signs, and with the last one after', async (t) => {
    const { app, call, clock, collect } = await startQuick(t, { LIMITS: 'off' })
    const kids = async () =>
      (await call('GET', '/.well-known/jwks.json')).body.keys.map(({ kid }: { kid: string }) => kid)
    const signer = async (user: string) =>
      JSON.parse(Buffer.from((await collect(user)).split('.')[0] as string, 'base64url').toString()).kid
    const [first] = await kids()
    const next = await app.core.signingKeys.rotate('published-ahead', BY)
    t.strictSame(await kids(), [first, next.kid])
    t.equal(await signer('ann'), first)
    t.equal(next.signsFromMs - next.createdAtMs, 360_000, 'six minutes, one more than the set may be kept')
    clock.advance(next.signsFromMs - clock() - 1)
    t.equal(await signer('bob'), first)
    clock.advance(1)
    t.equal(await signer('eve'), next.kid)
    t.strictSame(await kids(), [first, next.kid])
  })
})

t.test('404 what is not there, in the same words everywhere', async (t) => {
  const { app } = await startQuick(t)
  const kept: string[] = []
  for (const url of [
    '/unknown?user_code=CANARY-CODE',
    '/api/v0',
    '/api/v0/',
    '/api/v0/unknown',
    '/api/v0/auth/grant',
    '/api/v0/auth/grant/code/',
    '/api/v0/auth//grant/code',
    '/api/v0/auth/Grant/code',
    '/api/v0/auth/clients/a/b',
    '/api/v1/auth/grant/code',
    '/auth/grant/code',
    '/.well-known/jwks',
    '/healthz/',
    '/metrics/x',
    '/docs/../../package.json',
    '/docs/static/..%2f..%2fpackage.json',
    '/docs/static/unknown.js'
  ]) {
    for (const method of ['GET', 'POST'] as const) {
      const answer = await app.inject({ method, url, headers: { 'content-type': 'application/json' }, payload: '{}' })
      t.equal(answer.statusCode, 404, `404 ${method} ${url}`)
      t.equal(answer.body, REFUSED)
      t.equal(answer.headers['x-content-type-options'], 'nosniff')
      if (url.startsWith('/api/v0') && answer.headers['cache-control'] !== 'no-store') kept.push(`${method} ${url}`)
    }
  }
  t.strictSame(kept, [], 'nothing under /api/v0 may be kept')
})

t.test('405 and Allow for every path and method', async (t) => {
  const { app } = await startQuick(t, { LIMITS: 'off' })
  const surfaceOf = (path: string) => {
    if (/^\/(oauth|\.well-known)\//.test(path)) return 'oauth'
    if (path.startsWith('/admin/')) return 'admin'
    return /^\/(v1|\{providerId\})\//.test(path) ? 'tokens' : 'others'
  }
  const refusalOf = {
    tokens: '{"code":"method_not_allowed","message":"The method is not allowed here."}',
    oauth: '{"error":"invalid_request","error_description":"The method is not allowed here."}',
    admin: '{"error":"The method is not allowed here."}',
    others: '{"error":"Method Not Allowed"}'
  }
  let looked = 0
  for (const [path, item] of Object.entries(openapiDocument.paths)) {
    const documented = Object.keys(item as object).map((method) => method.toUpperCase())
    const allowed = [...documented, ...(documented.includes('GET') ? ['HEAD'] : [])]
    const url = path.replace('{authorizedClientId}', '00000000-0000-4000-8000-000000000000')
    for (const method of METHODS) {
      const answer = await app.inject({ method, url })
      if (allowed.includes(method)) {
        t.not(answer.statusCode, 405, `${method} ${path}`)
        continue
      }
      looked += 1
      t.equal(answer.statusCode, 405, `405 ${method} ${path}`)
      t.equal(answer.headers.allow, allowed.join(', '), `${method} ${path}`)
      if (method === 'HEAD') continue
      // What is for browsers says it on a page.
      if (path === '/oauth/authorize') t.match(answer.body, /^<!doctype html>/i)
      else t.equal(answer.body, refusalOf[surfaceOf(path)])
      t.equal(answer.headers['x-content-type-options'], 'nosniff')
    }
  }
  t.ok(looked >= 50, `${looked} refused`)
})

const withSortedLabels = (line: string) =>
  line.replace(
    /\{(.*)\}/,
    (_, labels: string) =>
      `{${labels
        .split(/,(?=\w+=")/)
        .sort()
        .join(',')}}`
  )
