/**
 * Checks the traces against a local receiver of OTLP: whose child each span is, what none of them says, whose word counts about
 * the parent, that a receiver which is away costs nothing, and that without the variables nothing of it is there.
 */
import { spawn } from 'node:child_process'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SpanKind } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { AppOptions } from '../../src/app.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { loggerOptions } from '../../src/logger.js'
import { guarded } from '../../src/tracing/exporter.js'
import { GRANTD_SECRET, startApp } from '../support/app.js'
import { apiClient } from '../support/client.js'
import { startHaproxy } from '../support/haproxy.js'
import { startNginx } from '../support/nginx.js'
import { startOAuthApp } from '../support/oauth-app.js'
import { CLIENT_SECRET, startIdentityProvider, TOKEN_ENDPOINT } from '../support/oidc-upstream.js'
import { type ReceivedSpan, type Receiver, startReceiver } from '../support/otlp-receiver.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { startService } from '../support/service.js'
import { providersFile } from '../support/sign-in.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'
import { authorityFile, listen } from '../support/trusted-issuer.js'
import { until } from '../support/until.js'
import { createVisitor } from '../support/visitor.js'

const SERVER = 2
const CLIENT = 3
const SAMPLED = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const NOT_SAMPLED = '00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

// What the SDK reads itself, of this process: a test need not wait long for what was sent.
process.env.OTEL_BSP_SCHEDULE_DELAY = '50'

const jsonTo = ({ url }: Receiver) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })
const FREELY = { LIMITS: 'off', SIGNING_ALG: 'EdDSA' }

function recorder() {
  const lines: string[] = []
  const logger = { ...(loggerOptions('info') as object), stream: { write: (line: string) => lines.push(line) } }
  return { logger, answered: () => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'answered') }
}

/** Starts the application, and lets it listen: over HTTP a body comes in another context than its request. */
async function startListening(t: Test, variables: Record<string, string>, options: AppOptions = {}) {
  const service = await startApp(t, { ...FREELY, ...variables }, options)
  const port = await freePort()
  await service.app.listen({ host: '127.0.0.1', port })
  return { ...service, url: `http://127.0.0.1:${port}` }
}

const namesOf = (spans: ReceivedSpan[]) => spans.map(({ name }) => name).sort()
const childrenOf = (spans: ReceivedSpan[], { spanId }: ReceivedSpan) =>
  spans.filter((one) => one.parentSpanId === spanId)
function theOne(spans: ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((span) => span.name === name)
  if (found.length !== 1) throw new Error(`${found.length} spans ${name} among ${namesOf(spans).join(', ')}`)
  return found[0] as ReceivedSpan
}

/** Looks for secrets in everything that was sent, as it was sent. */
function saysNone(t: Test, { requests }: Receiver, secrets: Iterable<string>): void {
  const sent = requests.map(({ body }) => body.toString('latin1')).join('\n')
  let looked = 0
  for (const secret of secrets) {
    if (secret.length < 6) throw new Error(`${secret} may be there by chance`)
    t.notOk(sent.includes(secret) || sent.includes(encodeURIComponent(secret)), `${secret.slice(0, 12)}… is not said`)
    looked += 1
  }
  t.ok(looked > 0 && sent.length > 1_000, `${looked} looked for in ${sent.length} bytes`)
}

t.test('a start, polls, a look and an approval: a span each, and the calls of Redis below it', async (t) => {
  const [receiver, redis] = [await startReceiver(t), await startRedis()]
  t.teardown(() => redis.stop())
  const { logger, answered } = recorder()
  const place = { REDIS_URL: redis.url, REDIS_PREFIX: 'canary-prefix:' }
  const { app, url, clock } = await startListening(t, { ...place, ...jsonTo(receiver) }, { logger })
  const api = apiClient(url)
  const session = await sessionOf('canary-user@example.com')
  const secrets = new Set([GRANTD_SECRET, DASHBOARD_SECRET, ...session.split('.'), 'canary', 'exception.message'])

  const { grant_code, user_code } = await api.start()
  t.equal((await api.poll(grant_code)).body.status, 'authorization_pending')
  await api.call('GET', `/auth/grant/peek?user_code=${user_code}&q=canary-query`, { token: session })
  await api.call('GET', `/auth/canary-path/${user_code}`)
  const approval = await api.call('POST', '/auth/grant/approve', {
    token: session,
    body: { user_code, action: 'approve' }
  })
  t.equal(approval.status, 200)
  clock.advance(6_000)
  const { jwt } = (await api.poll(grant_code)).body
  t.equal((await api.call('GET', '/auth/clients', { token: jwt })).status, 200)
  t.equal((await api.call('GET', '/auth/clients', { token: `${jwt}x` })).status, 401)
  for (const probe of ['/healthz', '/readyz', '/metrics']) t.equal((await api.call('GET', probe)).status, 200)
  for (const secret of [grant_code, digestOf(grant_code), user_code, user_code.replace('-', '')]) secrets.add(secret)
  for (const part of jwt.split('.')) secrets.add(part)
  await app.close()

  const spans = receiver.spans()
  const requests = spans.filter(({ kind }) => kind === SERVER)
  const api0 = '/api/v0/auth'
  t.strictSame(namesOf(requests), [
    'GET',
    `GET ${api0}/clients`,
    `GET ${api0}/clients`,
    `GET ${api0}/grant/peek`,
    `POST ${api0}/grant/approve`,
    `POST ${api0}/grant/code`,
    `POST ${api0}/grant/token`,
    `POST ${api0}/grant/token`
  ])
  for (const { name, parentSpanId } of requests) t.equal(parentSpanId, undefined, `${name} has no parent`)
  t.equal(new Set(requests.map(({ traceId }) => traceId)).size, requests.length, 'each is a trace of its own')

  const start = theOne(requests, `POST ${api0}/grant/code`)
  t.strictSame(start.attributes, {
    'http.request.method': 'POST',
    'http.route': `${api0}/grant/code`,
    'http.response.status_code': 200
  })
  t.strictSame(namesOf(childrenOf(spans, start)), ['redis events-add', 'redis grant-create', 'redis user-code-reserve'])
  for (const poll of requests.filter(({ name }) => name === `POST ${api0}/grant/token`)) {
    const [judged, ...rest] = childrenOf(spans, poll).filter(({ name }) => name === 'redis grant-poll')
    t.equal(rest.length, 0)
    t.match(judged, { kind: CLIENT, traceId: poll.traceId, status: { code: 0 } })
    t.strictSame(judged?.attributes, { 'db.system.name': 'redis', 'db.operation.name': 'grant-poll' })
  }
  t.ok(childrenOf(spans, theOne(requests, `POST ${api0}/grant/approve`)).length >= 2, 'an approval takes several calls')
  const [refused] = requests.filter(({ attributes }) => attributes['http.response.status_code'] === 401)
  t.match(refused, { status: { code: 0 }, events: [{ name: 'exception' }] })
  t.strictSame(refused?.events[0]?.attributes, { 'exception.type': 'invalid_token' }, 'a code, no message, no stack')
  t.match(start.resource, { 'service.name': 'grantd', 'service.version': /^\d/ })
  saysNone(t, receiver, secrets)

  const lines = answered()
  t.ok(lines.length >= 6, `${lines.length} lines`)
  const traced = new Map(requests.map((span) => [span.spanId, span]))
  for (const { route, trace_id, span_id } of lines) {
    if (route === '/healthz') t.equal(trace_id, undefined)
    else t.equal(traced.get(span_id)?.traceId, trace_id, `the line of ${route} names its trace`)
  }
})

t.test('polls that are judged together are children of their own requests', async (t) => {
  const [receiver, redis] = [await startReceiver(t), await startRedis()]
  t.teardown(() => redis.stop())
  const { app, url } = await startListening(t, { REDIS_URL: redis.url, ...jsonTo(receiver) })
  const api = apiClient(url)
  const codes = await Promise.all(Array.from({ length: 20 }, async () => (await api.start()).grant_code))
  await Promise.all(codes.map((code) => api.poll(code)))
  await app.close()
  const spans = receiver.spans()
  const polls = spans.filter(({ name }) => name === 'POST /api/v0/auth/grant/token')
  t.equal(polls.length, 20)
  for (const poll of polls) t.strictSame(namesOf(childrenOf(spans, poll)), ['redis grant-poll'])
})

t.test('a failure of Redis is one of the span and of its request, with the code alone', async (t) => {
  const [receiver, redis] = [await startReceiver(t), await startRedis()]
  t.teardown(() => redis.stop())
  const { app, url } = await startListening(t, { REDIS_URL: redis.url, ...jsonTo(receiver) })
  const api = apiClient(url)
  const { grant_code } = await api.start()
  const [key = ''] = (await redis.client.keys('*')).filter((name) => name.includes(digestOf(grant_code).slice(2)))
  await redis.client.del(key)
  await redis.client.lpush(key, 'canary-of-somebody')
  t.equal((await api.poll(grant_code)).status, 503)
  await app.close()
  const spans = receiver.spans()
  const poll = theOne(spans, 'POST /api/v0/auth/grant/token')
  t.strictSame([poll.status.code, poll.status.message], [2, undefined])
  t.strictSame(
    poll.events.map(({ attributes }) => attributes),
    [{ 'exception.type': 'unavailable' }]
  )
  t.match(childrenOf(spans, poll), [{ status: { code: 2 }, attributes: { 'error.type': 'unavailable' } }])
  saysNone(t, receiver, ['canary', digestOf(grant_code)])
})

t.test('a sign-in at an upstream: what it is asked is below the request, and it learns of no trace', async (t) => {
  const receiver = await startReceiver(t)
  const publicUrl = 'http://localhost:3333'
  const acme = await startIdentityProvider(t, { publicUrl })
  const seen: Record<string, unknown>[] = []
  const secrets = new Set([CLIENT_SECRET])
  acme.at(TOKEN_ENDPOINT, async ({ headers, form, ask }) => {
    seen.push(headers)
    secrets.add(form.get('code') ?? '').add(form.get('code_verifier') ?? '')
    const reply = await ask()
    for (const name of ['access_token', 'id_token', 'refresh_token']) secrets.add(JSON.parse(String(reply.body))[name])
    return reply
  })
  const variables = { ...FREELY, PROVIDERS_FILE: providersFile(t, [acme.entry()]), ...jsonTo(receiver) }
  const service = await startApp(t, variables)
  const visitor = createVisitor(service)
  await visitor.signInAt('acme', 'canary-ann')
  t.equal((await visitor.get('/device')).status, 200)
  await service.app.close()

  const spans = receiver.spans()
  const callback = theOne(spans, 'GET /login/:id/callback')
  const asked = childrenOf(spans, callback)
  t.ok(asked.length >= 2, namesOf(asked).join(' '))
  const exchange = theOne(asked, 'POST')
  const { port } = new URL(acme.origin)
  t.strictSame(exchange.attributes, {
    'http.request.method': 'POST',
    'server.address': '127.0.0.1',
    'server.port': Number(port),
    'url.scheme': 'http',
    'http.response.status_code': 200
  })
  t.equal(seen.length, 1)
  t.notMatch(Object.keys(seen[0] ?? {}).join(' '), /traceparent|tracestate|baggage/)
  saysNone(t, receiver, [...secrets, 'canary'])
})

t.test('a foreign issuer is asked below the request, and learns of no trace either', async (t) => {
  const receiver = await startReceiver(t)
  const headers: string[] = []
  const issuer = await listen(t, (request, response) => {
    headers.push(...request.rawHeaders)
    response.writeHead(404).end()
  })
  const allowed = {
    FOREIGN_ISSUER_CA_FILE: authorityFile(t),
    FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
    CLIENT_ID_METADATA: 'on'
  }
  const { app, post } = await startOAuthApp(t, { ...allowed, ...jsonTo(receiver) })
  const answer = await post('/oauth/device_authorization', { client_id: `${issuer.origin}/canary-document` })
  t.equal(answer.status, 401)
  // The request to the issuer ends with its connection, a moment after what is read of it.
  await until(async () => receiver.spans().some(({ name }) => name === 'GET'))
  await app.close()
  const spans = receiver.spans()
  const request = theOne(spans, 'POST /oauth/device_authorization')
  t.match(childrenOf(spans, request), [
    {
      name: 'GET',
      kind: CLIENT,
      status: { code: 2 },
      attributes: { 'http.response.status_code': 404, 'error.type': '404' }
    }
  ])
  t.ok(headers.length > 0)
  t.notMatch(headers.join(' '), /traceparent|tracestate|baggage/i)
  saysNone(t, receiver, ['canary'])
})

t.test('the parent of a request is what a proxy or a trusted caller says, and nobody else', async (t) => {
  for (const { title, variables, parent, count } of [
    { title: 'a stranger', variables: {}, parent: undefined, count: 2 },
    { title: 'a proxy', variables: { TRUST_PROXY: '127.0.0.1' }, parent: 'b7ad6b7169203331', count: 1 },
    { title: 'a trusted caller', variables: { TRUSTED_CALLERS: '127.0.0.1' }, parent: 'b7ad6b7169203331', count: 1 }
  ]) {
    t.test(title, async (t) => {
      const receiver = await startReceiver(t)
      const { app, url } = await startListening(t, { ...variables, ...jsonTo(receiver) })
      for (const traceparent of [SAMPLED, NOT_SAMPLED]) {
        const headers = {
          traceparent,
          'content-type': 'application/x-www-form-urlencoded',
          'x-forwarded-for': '192.0.2.1'
        }
        const body = `grant_type=${DEVICE_CODE}&device_code=${'x'.repeat(43)}&client_id=cli`
        t.equal((await fetch(`${url}/oauth/token`, { method: 'POST', headers, body })).status, 400)
      }
      await app.close()
      const spans = receiver.spans()
      t.strictSame(
        namesOf(spans),
        Array.from({ length: count }, () => 'POST /oauth/token')
      )
      for (const span of spans) {
        t.equal(span.parentSpanId, parent)
        if (parent === undefined) t.notOk(SAMPLED.includes(span.traceId) || NOT_SAMPLED.includes(span.traceId))
        else t.ok(SAMPLED.includes(span.traceId))
      }
    })
  }
})

for (const [name, startProxy] of Object.entries({ nginx: startNginx, HAProxy: startHaproxy })) {
  t.test(`${name} as it is deployed hands on no parent from outside`, async (t) => {
    const receiver = await startReceiver(t)
    const { app, url } = await startListening(t, { TRUST_PROXY: '127.0.0.1', ...jsonTo(receiver) })
    const [port, upstream] = [await freePort(), Number(new URL(url).port)]
    await startProxy(t, port, [upstream, upstream])
    const headers = { traceparent: NOT_SAMPLED }
    t.equal((await fetch(`http://127.0.0.1:${port}/api/v0/auth/clients`, { headers })).status, 401)
    await app.close()
    // With that parent it would not have been recorded at all.
    t.equal(theOne(receiver.spans(), 'GET /api/v0/auth/clients').parentSpanId, undefined)
  })
}

t.test('a span leaves with what is allowed, whatever was written into it', async (t) => {
  const kept = new InMemorySpanExporter()
  const log = { info() {}, warn() {} }
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(guarded(kept, log))] })
  const tracer = provider.getTracer('any library')
  for (const kind of [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.INTERNAL]) {
    const names = [
      'url.full',
      'url.path',
      'url.query',
      'http.target',
      'http.url',
      'db.statement',
      'db.query.text',
      'user.id'
    ]
    const span = tracer.startSpan('GET /x', { kind, links: [{ context: tracer.startSpan('y').spanContext() }] })
    for (const name of names) span.setAttribute(name, 'canary')
    span.setAttribute('http.route', '/x').setStatus({ code: 2, message: 'canary' })
    span.recordException(Object.assign(new Error('canary'), { code: 'unavailable' }))
    span.end()
  }
  await provider.forceFlush()
  const spans = kept.getFinishedSpans()
  t.equal(spans.length, 3)
  for (const { attributes, status, events, links, kind } of spans) {
    t.strictSame(attributes, { 'http.route': '/x' })
    t.strictSame(status, { code: kind === SpanKind.SERVER ? 0 : 2 })
    t.strictSame(
      events.map((event) => event.attributes),
      [{ 'exception.type': 'unavailable' }]
    )
    t.strictSame(links, [])
  }
})

/** What the SDK reads itself: small times, so that a test need not wait. */
const QUICK = { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_EXPORTER_OTLP_TIMEOUT: '300' }
const occurrences = (text: string, part: string) => text.split(part).length - 1

t.test('the service as a process: protobuf, its own variables, and a stop that sends the last spans', async (t) => {
  const receiver = await startReceiver(t)
  const service = await startService(t, {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/take/it`,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-team=canary-header',
    OTEL_SERVICE_NAME: 'grants-of-ours',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=night,service.name=not-this'
  })
  await apiClient(service.url).start()
  t.equal(receiver.requests.length, 0, 'nothing is sent for every request')
  t.equal(await service.stop(), 0)
  t.equal(receiver.requests.length, 1)
  const { path, headers, body } = receiver.requests[0] as Receiver['requests'][0]
  t.match({ path, headers }, { path: '/take/it', headers: { 'content-type': 'application/x-protobuf' } })
  t.equal(headers['x-team'], 'canary-header')
  for (const word of ['POST /api/v0/auth/grant/code', 'grants-of-ours', 'night']) t.ok(body.includes(word), word)
  t.notOk(body.includes('not-this'))
  t.notOk(service.output().includes('canary-header'))
})

t.test('a share of the requests, as the sampler says', async (t) => {
  const receiver = await startReceiver(t)
  const sampler = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }
  const service = await startService(t, { ...jsonTo(receiver), ...sampler })
  await apiClient(service.url).start()
  t.equal(await service.stop(), 0)
  t.strictSame(receiver.requests, [])
  t.notMatch(service.output(), /trace_id/, 'the log names no trace that nobody has')
})

t.test('the log as the place of traces is JSON lines as ever', async (t) => {
  const service = await startService(t, { OTEL_TRACES_EXPORTER: 'console', ...QUICK })
  await apiClient(service.url).start()
  t.equal(await service.stop(), 0)
  const lines = service
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const [span] = lines.filter(({ msg }) => msg === 'span POST /api/v0/auth/grant/code')
  const [answer] = lines.filter(({ msg }) => msg === 'answered')
  t.match(span, { kind: 'server', failed: false, trace_id: answer.trace_id, span_id: answer.span_id })
})

t.test('a receiver that is away costs no request anything, is told of once, and is found again', async (t) => {
  const receiver = await startReceiver(t)
  await receiver.down()
  const service = await startService(t, { ...jsonTo(receiver), ...QUICK, LIMITS: 'off' })
  const api = apiClient(service.url)
  const away = 'traces are not taken where they are sent to'
  await until(async () => {
    t.match(await api.start(), { grant_code: /./ })
    return service.output().includes(away)
  })
  for (let i = 0; i < 20; i++) await api.start()
  t.equal(occurrences(service.output(), away), 1)
  t.match(service.output(), /"reason":"[^"]*ECONNREFUSED/)

  await receiver.up()
  await until(async () => {
    await api.start()
    return service.output().includes('traces are taken again')
  })
  t.ok(receiver.spans().length > 0)
  // What is found may be slow, and away once more.
  const [beforeFound = ''] = service.output().split('traces are taken again')
  t.equal(occurrences(beforeFound, away), 1)
  t.equal(await service.stop(), 0)
})

t.test('a receiver that takes and does not answer holds neither requests nor the stop', async (t) => {
  const receiver = await startReceiver(t)
  receiver.answers = false
  // The queue is full at once: what does not fit is dropped.
  const sizes = { OTEL_BSP_MAX_QUEUE_SIZE: '8', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '8', OTEL_BSP_SCHEDULE_DELAY: '50' }
  const service = await startService(t, { ...jsonTo(receiver), ...sizes, LIMITS: 'off' })
  const api = apiClient(service.url)
  for (let i = 0; i < 100; i++) t.ok((await api.start()).grant_code)
  t.ok(receiver.requests.length >= 1 && receiver.requests.length <= 5, `${receiver.requests.length} were sent`)
  t.ok(receiver.spans().length <= 40, 'most were dropped, none was kept for later')
  const startedAt = performance.now()
  t.equal(await service.stop(), 0)
  t.ok(performance.now() - startedAt < 8_000, 'it stops within its time, and well before the time of the exporter')
  t.match(service.output(), /the last traces were not taken before the stop[\s\S]*"msg":"stopped"/)
})

/** Starts the service under a probe that lists the modules of both kinds which it has loaded. Returns those of packages. */
async function packagesLoaded(t: Test, variables: Record<string, string>): Promise<Set<string>> {
  const folder = await mkdtemp(join(tmpdir(), 'grantd-tracing-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const list = join(folder, 'loaded')
  const append = `(name) => appendFileSync(${JSON.stringify(list)}, name + '\\n')`
  await writeFile(
    join(folder, 'hooks.mjs'),
    `import { appendFileSync } from 'node:fs'
const note = ${append}
export async function resolve(name, context, next) {
  const found = await next(name, context)
  note(found.url)
  return found
}
`
  )
  await writeFile(
    join(folder, 'probe.mjs'),
    `import { appendFileSync } from 'node:fs'
import { createRequire, register } from 'node:module'
const note = ${append}
register('./hooks.mjs', import.meta.url)
process.on('exit', () => Object.keys(createRequire(import.meta.url).cache).forEach(note))
`
  )
  const port = await freePort()
  const env = { PATH: process.env.PATH, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, PORT: `${port}` }
  const args = ['--import', join(folder, 'probe.mjs'), inRoot('dist/src/server.js')]
  const child = spawn(process.execPath, args, { env: { ...env, ...variables }, stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  // There is no time limit, because a busy machine may be slow. A service that cannot start ends, which stops the loop.
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      ({ ok }) => ok,
      () => false
    )
  while (!(await answers())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the service ended at once')
    await sleep(50)
  }
  const api = apiClient(`http://127.0.0.1:${port}`)
  const { grant_code } = await api.start()
  await api.poll(grant_code)
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
  const paths = (await readFile(list, 'utf8')).trim().split('\n')
  return new Set(
    paths.flatMap((path) => {
      const [, name] = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? []
      return name ?? (path.includes('/dist/src/tracing/') ? 'src/tracing' : [])
    })
  )
}

t.test('without the variables nothing of it is loaded', async (t) => {
  // The metrics library has loaded the API, which alone does nothing, ever since.
  const OF_TRACES =
    /^(@opentelemetry\/(?!api$)|@fastify\/otel$|import-in-the-middle$|require-in-the-middle$|src\/tracing$)/
  const receiver = await startReceiver(t)
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }
  const off = {
    'none is set': {},
    disabled: { ...on, OTEL_SDK_DISABLED: 'true' },
    'no exporter': { ...on, OTEL_TRACES_EXPORTER: 'none' },
    'only what says how': { OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'always_on' }
  }
  const [traced, ...others] = await Promise.all([on, ...Object.values(off)].map((one) => packagesLoaded(t, one)))
  for (const [i, title] of Object.keys(off).entries()) {
    const loaded = [...(others[i] ?? [])]
    t.ok(
      loaded.includes('fastify') && loaded.includes('pino') && loaded.length > 30,
      `${title}: ${loaded.length} packages`
    )
    t.strictSame(
      loaded.filter((name) => OF_TRACES.test(name)),
      [],
      title
    )
  }
  const loaded = [...(traced ?? [])].filter((name) => OF_TRACES.test(name))
  t.ok(loaded.includes('src/tracing') && loaded.includes('@fastify/otel'), 'the probe sees them where they are')
  t.notOk(loaded.includes('@opentelemetry/exporter-trace-otlp-http'), 'of the exporters the one that is used')
})

t.test('without the variables a poll passes no further hook, wrapper or listener', async (t) => {
  const HOOKS = ['onRequest', 'preValidation', 'preHandler', 'onSend', 'onResponse', 'onError'] as const
  const CHANNELS = ['undici:request:create', 'http.client.request.start']
  const hooksOf = (app: FastifyInstance) => {
    const kHooks = Object.getOwnPropertySymbols(app).find(
      ({ description }) => description === 'fastify.hooks'
    ) as symbol
    const hooks = (app as unknown as Record<symbol, Record<string, unknown[]>>)[kHooks] ?? {}
    return Object.fromEntries(HOOKS.map((name) => [name, hooks[name]?.length ?? 0]))
  }
  const listened = () => CHANNELS.filter((name) => channel(name).hasSubscribers)
  const { app } = await startApp(t, FREELY)
  t.strictSame([app.tracing, app.hasRequestDecorator('opentelemetry'), listened()], [undefined, false, []])
  const off = hooksOf(app)
  const receiver = await startReceiver(t)
  const { app: traced } = await startApp(t, { ...FREELY, ...jsonTo(receiver) })
  t.strictSame([traced.hasRequestDecorator('opentelemetry'), listened()], [true, CHANNELS])
  const on = hooksOf(traced)
  t.strictSame(Object.fromEntries(HOOKS.map((name) => [name, (on[name] ?? 0) - (off[name] ?? 0)])), {
    onRequest: 2,
    preValidation: 1,
    preHandler: 0,
    onSend: 0,
    onResponse: 1,
    onError: 0
  })
  await traced.close()
  t.strictSame(listened(), [], 'and none is left behind')
})
