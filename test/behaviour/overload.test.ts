/** More to do than can be done: the rest is told at once to come again, and who runs the service still sees it. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startApp } from '../support/app.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { until } from '../support/until.js'

const MOST_UNDER_WAY = 2_000
const CODE = 'x'.repeat(43)

const redis = await startRedis()
t.teardown(() => redis.stop())
const proxy = await startFaultProxy(redis.port, () => 1)
t.teardown(() => proxy.close())
const variables = {
  REDIS_URL: proxy.url,
  SIGNING_ALG: 'EdDSA',
  LIMITS: 'off',
  PUBLIC_URL: 'https://grants.example.com'
}
const PATIENT = { REDIS_TIMEOUT_MS: '20000' }

t.test('2,000 are served, whoever comes beside them is refused in the way of each surface', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const { app } = await startApp(t, { ...variables, ...PATIENT }, { logger: { level: 'info', stream } })
  const poll = () => app.inject({ method: 'POST', url: '/api/v0/auth/grant/token', payload: { grant_code: CODE } })
  const underWay = async () =>
    Number(/^grantd_requests_under_way (\d+)$/m.exec((await app.inject('/metrics')).body)?.[1])
  await poll()

  proxy.delay(4_000)
  const before = proxy.pieces()
  const served = Array.from({ length: MOST_UNDER_WAY }, poll)
  // What they ask has left, and the answers are a while away.
  await until(async () => proxy.pieces() > before)
  const startedAt = performance.now()
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const [dashboard, oauth, tokens, unknown, health] = await Promise.all([
    poll(),
    app.inject({ method: 'POST', url: '/oauth/token', headers: form, payload: 'grant_type=x' }),
    app.inject('/v1/providers'),
    app.inject('/nowhere'),
    app.inject('/healthz')
  ])
  const refusedAfterMs = performance.now() - startedAt
  for (const answer of [dashboard, oauth, tokens, unknown]) {
    t.match(answer, { statusCode: 503, headers: { 'retry-after': '2' } })
  }
  t.same(dashboard.json(), { error: 'Service Unavailable. Please try again.' })
  t.match(oauth.json(), { error: 'temporarily_unavailable' })
  t.match(tokens.json(), { code: 'unavailable' })
  t.equal(health.statusCode, 200)
  const metrics = await app.inject('/metrics')
  t.equal(metrics.statusCode, 200)
  t.match(metrics.body, /^grantd_requests_shed_total [1-9]/m)
  t.ok(refusedAfterMs < 300, `at once: ${refusedAfterMs.toFixed(0)} ms`)

  const statuses = new Set((await Promise.all(served)).map(({ statusCode }) => statusCode))
  t.same([...statuses], [200], 'all that were let in were answered')
  proxy.delay(0)
  t.equal((await poll()).statusCode, 200, 'and it is over')
  t.equal(await underWay(), 1)
  t.equal(lines.filter((line) => line.includes('overloaded: ')).length, 1, 'one line says so')
  t.notOk(lines.some((line) => line.includes('"status":503')))
})

t.test('who leaves before the answer is not counted for ever', async (t) => {
  const { app } = await startApp(t, variables)
  await app.listen({ host: '127.0.0.1', port: await freePort() })
  const { port } = app.server.address() as { port: number }
  const body = JSON.stringify({ grant_code: CODE })
  const head = `POST /api/v0/auth/grant/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
  proxy.delay(300)
  const sockets = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write(`${head}\r\n\r\n${body}`)
      return socket
    })
  )
  const underWay = async () =>
    Number(/^grantd_requests_under_way (\d+)$/m.exec((await app.inject('/metrics')).body)?.[1])
  await sleep(100)
  for (const socket of sockets) socket.destroy()
  proxy.delay(0)
  await until(async () => (await underWay()) === 1)
  t.pass('only whoever asks is left')
})

t.test('a process that was held up blames nobody: what was answered meanwhile counts', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const { app } = await startApp(t, variables, { logger: { level: 'info', stream } })
  const poll = () => app.inject({ method: 'POST', url: '/api/v0/auth/grant/token', payload: { grant_code: CODE } })
  await poll()
  lines.length = 0
  for (let round = 0; round < 3; round++) {
    const polls = Array.from({ length: 20 }, poll)
    // Sent, and not yet read: then nothing happens here for longer than anybody waits for Redis.
    await sleep(round)
    const heldUpUntil = performance.now() + 2_000
    while (performance.now() < heldUpUntil);
    t.same([...new Set((await Promise.all(polls)).map(({ statusCode }) => statusCode))], [200])
    t.notOk(
      lines.some((line) => line.includes('Redis is away')),
      'no connection was given up'
    )
  }
})
