/**
 * Checks overload: requests beyond the limit get 503 with Retry-After at once, and the operator still sees the metrics.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDeadline } from '../../src/core/deadline.js'
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

t.test('2,000 are served, whoever comes beside them is refused in the way of each surface', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const { app } = await startApp(t, variables, { logger: { level: 'info', stream } })
  const poll = () => app.inject({ method: 'POST', url: '/api/v0/auth/grant/token', payload: { grant_code: CODE } })
  const underWay = async () =>
    Number(/^grantd_requests_under_way (\d+)$/m.exec((await app.inject('/metrics')).body)?.[1])
  await poll()

  const letGo = proxy.hold()
  const before = proxy.pieces()
  let answered = 0
  const served = Array.from({ length: MOST_UNDER_WAY }, async () => {
    const answer = await poll()
    answered += 1
    return answer
  })
  // The admitted polls have reached the proxy.
  await until(async () => proxy.pieces() > before)
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const [dashboard, oauth, tokens, unknown, health] = await Promise.all([
    poll(),
    app.inject({ method: 'POST', url: '/oauth/token', headers: form, payload: 'grant_type=x' }),
    app.inject('/v1/providers'),
    app.inject('/nowhere'),
    app.inject('/healthz')
  ])
  for (const answer of [dashboard, oauth, tokens, unknown]) {
    t.match(answer, { statusCode: 503, headers: { 'retry-after': '2' } })
  }
  t.same(dashboard.json(), { error: 'Service Unavailable. Please try again.' })
  t.match(oauth.json(), { error: 'temporarily_unavailable' })
  t.match(tokens.json(), { code: 'unavailable' })
  t.equal(health.statusCode, 200)
  t.equal(answered, 0, 'at once: all that were let in still wait')
  // /metrics also asks Redis, so it is answered only after the proxy lets go.
  const looking = app.inject('/metrics')

  letGo()
  const metrics = await looking
  t.equal(metrics.statusCode, 200)
  t.match(metrics.body, /^grantd_requests_shed_total [1-9]/m)
  const statuses = new Set((await Promise.all(served)).map(({ statusCode }) => statusCode))
  t.same([...statuses], [200], 'all that were let in were answered')
  t.equal((await poll()).statusCode, 200, 'and it is over')
  t.equal(await underWay(), 1)
  t.equal(lines.filter((line) => line.includes('overloaded: ')).length, 1, 'one line says so')
  t.notOk(lines.some((line) => line.includes('"status":503')))
})

t.test('who leaves before the answer is not counted for ever', async (t) => {
  const { app } = await startApp(t, variables)
  await app.listen({ host: '127.0.0.1', port: await freePort() })
  const { port } = app.server.address() as { port: number }
  let arrived = 0
  app.server.on('request', () => {
    arrived += 1
  })
  const body = JSON.stringify({ grant_code: CODE })
  const head = `POST /api/v0/auth/grant/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`
  const letGo = proxy.hold()
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
  await until(async () => arrived === 200)
  for (const socket of sockets) socket.destroy()
  letGo()
  await until(async () => (await underWay()) === 1)
  t.pass('only whoever asks is left')
})

t.test('a process that was held up blames nobody: what was answered meanwhile counts', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  // The service is connected without the proxy, which runs in this process and is blocked with it. Redis may take two
  // seconds here.
  const { app } = await startApp(
    t,
    { ...variables, REDIS_TIMEOUT_MS: '2000', REDIS_URL: redis.url },
    { logger: { level: 'info', stream } }
  )
  const poll = () => app.inject({ method: 'POST', url: '/api/v0/auth/grant/token', payload: { grant_code: CODE } })
  await poll()
  lines.length = 0
  // The process is blocked at different moments of the check for expired time limits, which runs every 50 ms.
  for (const afterMs of [0, 60, 120]) {
    // Redis answers after 0.9 s, long before this blocked process can read the answer.
    await redis.client.call('CLIENT', 'PAUSE', '900', 'WRITE')
    const polls = Array.from({ length: 20 }, poll)
    await sleep(afterMs)
    // The code after this await runs while sockets are read. Timers come next in the event loop, before answers that
    // have arrived.
    await redis.client.ping()
    const heldUpUntil = performance.now() + 2_500
    while (performance.now() < heldUpUntil);
    t.same([...new Set((await Promise.all(polls)).map(({ statusCode }) => statusCode))], [200])
    t.notOk(
      lines.some((line) => line.includes('Redis is away')),
      'no connection was given up'
    )
  }
})

t.test('what holds the process up between the timer and the sweep does not count either', async (t) => {
  const deadline = createDeadline(200)
  t.teardown(() => deadline.stop())
  let isGivenUp = false
  const call = deadline.begin(performance.now(), () => {
    isGivenUp = true
  })
  // Timers of one period run one after the other, so this one comes right after that of the sweep. The first sweep leaves a
  // call alone that is younger than the one before.
  let sweeps = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      sweeps += 1
      if (sweeps < 2) return
      clearInterval(timer)
      const heldUpUntil = performance.now() + 300
      while (performance.now() < heldUpUntil);
      // The sweep is next, and then comes the answer.
      setImmediate(resolve)
    }, 50)
  })
  t.equal(deadline.end(call), true)
  t.notOk(isGivenUp)
  deadline.begin(performance.now() - 1_000, () => {
    isGivenUp = true
  })
  await until(async () => isGivenUp)
  t.equal(deadline.count(), 0, 'a call that is late is given up all the same')
})
