/**
 * Checks the answers under overload and while Redis loses replies, is gone, loads or is silent. "Could not look" is a 503
 * with Retry-After and never a verdict, and the operator still sees the metrics. Afterwards the service recovers by
 * itself, and nothing is lost or doubled.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, type ReadStream } from 'node:fs'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Redis } from 'ioredis'
import { decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load-config.js'
import { createDeadline, type LimitedCall } from '../../src/core/clock.js'
import { fault } from '../../src/core/fault.js'
import { retryAfterOf } from '../../src/routes/to-fault.js'
import { type Answer, GRANTD_SECRET, IMPATIENT, PATIENT, startApp } from '../support/app.js'
import { BY } from '../support/audit.js'
import { type ApiClient, apiClient, claimsOf, type HttpAnswer } from '../support/client.js'
import { seededRandom, startFaultProxy } from '../support/fault-proxy.js'
import { startStopwatch } from '../support/held-up.js'
import { BOX, type OAuthApp, startOAuthApp } from '../support/oauth-app.js'
import { freePort } from '../support/ports.js'
import { startRedis } from '../support/redis-server.js'
import { startService } from '../support/service.js'
import { DASHBOARD_SECRET, sessionOf } from '../support/tokens.js'
import { until } from '../support/until.js'

const MOST_UNDER_WAY = 2_000
const connectionsOf = ({ server }: FastifyInstance) => promisify(server.getConnections.bind(server))()
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
    t.equal(answer.statusCode, 503)
  }
  for (const answer of [tokens, unknown]) t.match(answer.headers['retry-after'], /^[2-4]$/)
  for (const answer of [dashboard, oauth])
    t.match(answer.headers['retry-after'], /^([5-9]|10)$/, 'the interval or longer')
  const together = await Promise.all(Array.from({ length: 60 }, async () => (await poll()).headers['retry-after']))
  t.ok(new Set(together).size > 1, 'who is refused together does not come back together')
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

t.test('Retry-After is from the least to twice as long: for who polls, the interval, if that is longer', async (t) => {
  const from = (isPolled: boolean, pollIntervalSeconds: number) => {
    const request = { routeOptions: { config: { isPolled } }, server: { config: { pollIntervalSeconds } } }
    return [0, 0.999].map((random) =>
      retryAfterOf(fault('unavailable'), request as unknown as FastifyRequest, () => random)
    )
  }
  t.strictSame(
    [from(false, 5), from(true, 1), from(true, 5)],
    [
      [2, 4],
      [2, 4],
      [5, 10]
    ]
  )
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

for (const [engine, REDIS_URL] of [
  ['Redis', redis.url],
  ['memory', '']
] as const) {
  t.test(`what has not been read takes the place of nothing that has, over ${engine}`, async (t) => {
    const HALF_SENT = 2_050
    const body = JSON.stringify({ grant_code: CODE })
    const headOf = (length: number, more = '') =>
      `POST /api/v0/auth/grant/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${more}Content-Length: ${length}\r\n\r\n`

    async function listening(more: Record<string, string> = {}) {
      const service = await startApp(t, { ...variables, ...(REDIS_URL ? { REDIS_URL } : { REDIS_URL: '' }), ...more })
      await service.app.listen({ host: '0.0.0.0', port: await freePort() })
      const { port } = service.app.server.address() as { port: number }
      const number = async (name: string) =>
        Number(new RegExp(`^grantd_${name} (\\d+)$`, 'm').exec((await service.app.inject('/metrics')).body)?.[1])
      const open = async (text: string, localAddress = '127.0.0.2') => {
        const socket = connect({ port, host: '127.0.0.1', localAddress })
        const answer = { text: '', isClosed: false }
        socket
          .on('error', () => {})
          .on('data', (data) => {
            answer.text += data
          })
        socket.on('close', () => {
          answer.isClosed = true
        })
        t.teardown(() => socket.destroy())
        await once(socket, 'connect')
        socket.write(text)
        return { socket, answer }
      }
      /** Sends a poll whose body comes in a packet of its own, and returns the status. */
      const poll = async (localAddress = '127.0.0.1') => {
        const { socket, answer } = await open(headOf(body.length, 'Connection: close\r\n'), localAddress)
        socket.write(body)
        await until(async () => answer.isClosed)
        return answer.text.slice(9, 12)
      }
      return { ...service, number, open, poll }
    }

    await t.test('2,050 half-sent bodies of one address: others poll, and so does that address', async (t) => {
      const { number, open, poll } = await listening()
      const statuses: string[] = []
      const halves: Awaited<ReturnType<typeof open>>[] = []
      while (halves.length < HALF_SENT) {
        const some = Array.from({ length: 205 }, () => open(headOf(body.length) + body.slice(0, 10)))
        halves.push(...(await Promise.all(some)))
        statuses.push(await poll(), await poll('127.0.0.2'))
      }
      await until(async () => (await number('requests_unread')) <= 100)
      statuses.push(await poll(), await poll('127.0.0.2'))
      t.strictSame([...new Set(statuses)], ['200'])
      t.equal(await number('requests_under_way'), 1, 'they are not under way')
      t.equal(await number('requests_shed_total'), 0)
      await until(async () => halves.filter(({ answer }) => answer.isClosed).length >= HALF_SENT - 100)
      const ended = halves.filter(({ answer }) => answer.isClosed)
      const told = ended.filter(({ answer }) => answer.text !== '')
      t.ok(told.length > 100, `${told.length} were told`)
      for (const { answer } of told) t.match(answer.text, /^HTTP\/1\.1 408 .*\r\nconnection: close\r\n/is)
      t.equal(halves[0]?.answer.isClosed, true, 'the oldest is among them')
      // It comes only now, because Node.js ends what is not whole after ten seconds, however slowly the others came.
      const youngest = await open(headOf(body.length) + body.slice(0, 10))
      const closed = () => halves.filter(({ answer }) => answer.isClosed).length
      await until(async () => closed() > ended.length || closed() === HALF_SENT)
      youngest.socket.write(body.slice(10))
      await until(async () => youngest.answer.isClosed || youngest.answer.text !== '')
      t.match(youngest.answer.text, /^HTTP\/1\.1 200/, 'the youngest is answered once it is whole')
      for (const { socket } of [...halves, youngest]) socket.destroy()
      await until(async () => (await number('requests_unread')) === 0)
      t.equal(await number('requests_under_way'), 1)
    })

    // Nothing of this asks the storage, so once is enough.
    if (REDIS_URL) return
    await t.test('of as many addresses behind a proxy: a thousand in all wait, each of the others polls', async (t) => {
      const { number, open, poll } = await listening({ TRUST_PROXY: '127.0.0.0/8' })
      const from = (i: number) => `X-Forwarded-For: [2001:db8:0:${i.toString(16)}::1]:${i}\r\n`
      const statuses: string[] = []
      for (let i = 0; i < HALF_SENT; i += 205) {
        await Promise.all(Array.from({ length: 205 }, (_, j) => open(headOf(body.length, from(i + j)))))
        statuses.push(await poll())
      }
      await until(async () => (await number('requests_unread')) <= 1_000)
      statuses.push(await poll())
      t.strictSame([...new Set(statuses)], ['200'])
      t.equal(await number('requests_shed_total'), 0)
    })
  })
}

t.test('connections that bring nothing make room for others, and so do answers that nobody takes', async (t) => {
  const { app } = await startApp(t, { SIGNING_ALG: 'EdDSA', LIMITS: 'off', HELD_POLLS: '0' })
  await app.listen({ host: '127.0.0.1', port: await freePort() })
  const { port } = app.server.address() as { port: number }
  const number = async (name: string) =>
    Number(new RegExp(`^grantd_${name} (\\d+)$`, 'm').exec((await app.inject('/metrics')).body)?.[1])

  const asked = connect(port, '127.0.0.1')
  t.teardown(() => asked.destroy())
  asked.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(asked, 'data')
  // Streams stand in for sockets, of which one process may not have so many.
  const silent = Array.from({ length: 10_000 }, () => new PassThrough())
  for (const stream of silent) app.server.emit('connection', stream)
  // In the same turn, because Node.js ends those that bring nothing for ten seconds.
  t.equal(silent[0]?.destroyed, true, 'the oldest that brought no request is ended')
  t.equal(silent.filter(({ destroyed }) => destroyed).length, 1, 'and no other')
  await until(async () => (await number('connections')) <= 10_000)
  asked.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(asked, 'data')
  t.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200, 'whoever connects now is served')
  t.match((await app.inject('/metrics')).body, /^grantd_unread_ended_total\{what="connection"\} [12]$/m)
  for (const stream of silent) stream.destroy()
  await until(async () => (await number('connections')) <= 2)

  const slow = connect(port, '127.0.0.1')
  t.teardown(() => slow.destroy())
  slow.pause()
  let requests = 0
  app.server.on('request', () => {
    requests += 1
  })
  slow.write('GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(33))
  let seen = 0
  await until(async () => {
    const isStill = requests > 0 && requests === seen
    seen = requests
    return isStill
  })
  t.equal(await number('requests_under_way'), 1, 'answers that nobody takes are not under way')
})

t.test('what one connection asks for ahead, and what of it nobody takes', async (t) => {
  const MOST_BEHIND = 32
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
  const body = JSON.stringify({ grant_code: CODE })
  const poll = (more = '') =>
    `POST /api/v0/auth/grant/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`

  async function listening(more: Record<string, string> = {}) {
    const app = buildApp(
      loadConfig({
        GRANTD_SECRET,
        DASHBOARD_JWT_SECRET: DASHBOARD_SECRET,
        ...PATIENT,
        SIGNING_ALG: 'EdDSA',
        LIMITS: 'off',
        ...more
      }),
      { logger: false }
    )
    t.teardown(() => app.close())
    const handled = { requests: 0, answered: 0, files: new Set<ReadStream>() }
    app.addHook('preHandler', async () => {
      handled.requests += 1
    })
    app.addHook('onSend', async () => {
      handled.answered += 1
    })
    // A file larger than any socket takes at once.
    app.get('/file', async () => {
      const file = createReadStream('/dev/zero')
      handled.files.add(file)
      return file
    })
    await app.listen({ host: '127.0.0.1', port: await freePort() })
    const { port } = app.server.address() as { port: number }
    const number = async (name: string) => {
      const [, value] = new RegExp(`^grantd_${name} (\\d+)$`, 'm').exec((await app.inject('/metrics')).body) ?? []
      return Number(value ?? 0)
    }
    const connected = async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      t.teardown(() => socket.destroy())
      await once(socket, 'connect')
      return socket
    }
    return { app, handled, number, connected }
  }
  const PIPELINES_ENDED = 'unread_ended_total{what="pipeline"}'.replace(/[{}]/g, '\\$&')

  for (const [what, request, variables] of [
    ['answers that are made at once', get('/openapi.json'), {}],
    ['answers that wait for Redis', poll(), { REDIS_URL: proxy.url }],
    ['paths that cannot be decoded', get('/%zz'), {}]
  ] as const) {
    await t.test(`a connection is ended beyond ${MOST_BEHIND}: ${what}`, async (t) => {
      const { app, handled, number, connected } = await listening(variables)
      const letGo = proxy.hold()
      const sockets = await Promise.all(Array.from({ length: 5 }, connected))
      for (const socket of sockets) socket.pause().write(request.repeat(1_500))
      await until(async () => (await connectionsOf(app)) === 0)
      letGo()
      t.ok(handled.requests <= 5 * (MOST_BEHIND + 1), `${handled.requests} were handled`)
      await until(async () => (await number('requests_under_way')) === 1)
      t.equal(await number(PIPELINES_ENDED), 5)
    })
  }

  await t.test(`${MOST_BEHIND} behind the first are answered, and one more is not`, async (t) => {
    const { number, connected } = await listening()
    const socket = await connected()
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    const answers = () => text.split('HTTP/1.1 200').length - 1
    socket.write(get('/healthz').repeat(MOST_BEHIND + 1))
    await until(async () => answers() === MOST_BEHIND + 1)
    socket.write(get('/healthz').repeat(MOST_BEHIND + 1))
    await until(async () => answers() === 2 * (MOST_BEHIND + 1))
    t.equal(await number(PIPELINES_ENDED), 0, 'however many there were before')
    socket.write(get('/healthz').repeat(MOST_BEHIND + 2))
    await once(socket, 'close')
    t.equal(await number(PIPELINES_ENDED), 1)
  })

  await t.test('200 a client that always has twenty under way, in their order', async (t) => {
    const { number, connected } = await listening({ REDIS_URL: redis.url })
    const socket = await connected()
    let sent = 0
    let text = ''
    const statuses = () => [...text.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status)
    const fill = () => {
      for (; sent < 400 && sent < statuses().length + 20; sent++)
        socket.write(sent % 2 === 0 ? get('/healthz') : poll())
    }
    socket.on('data', (data) => {
      text += data
      fill()
    })
    fill()
    await until(async () => statuses().length === 400)
    const [probes, polls] = [0, 1].map((rest) => new Set(statuses().filter((_, i) => i % 2 === rest)))
    t.strictSame([probes, polls], [new Set(['ok']), new Set(['expired_token'])])
    t.equal(await number(PIPELINES_ENDED), 0)
  })

  await t.test('files and held polls behind the answer that is taken end with the connection', async (t) => {
    const { app, handled, number, connected } = await listening()
    const { grant_code } = (
      await app.inject({ method: 'POST', url: '/api/v0/auth/grant/code', payload: { client_type: 'cli' } })
    ).json()
    const socket = await connected()
    socket.pause()
    socket.write(get('/file').repeat(10) + poll('Prefer: wait=30\r\n').replace(CODE, grant_code))
    await until(async () => (await number('held_polls')) === 1)
    t.equal(handled.files.size, 10)
    socket.destroy()
    await until(async () => [...handled.files].every(({ closed }) => closed))
    await until(async () => (await number('held_polls')) === 0)
    await until(async () => (await number('requests_under_way')) === 1)
    t.pass('none is left')
  })

  await t.test('whoever takes nothing is cut off after 70 seconds at most, and no poll that is held is', async (t) => {
    for (const [more, longestMs] of [
      [{}, 70_000],
      [{ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '1000' }, 70_000],
      [{ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '30000' }, 180_000]
    ] as const) {
      const { app } = await listening(more)
      const heldForMs = 30_000 + 2 * Number('REDIS_TIMEOUT_MS' in more ? more.REDIS_TIMEOUT_MS : 0)
      t.ok(app.server.timeout >= heldForMs && app.server.timeout * 2 <= longestMs, `${app.server.timeout} ms`)
    }
    // The same with a shorter time: Node.js looks twice.
    const { app, connected } = await listening()
    app.server.timeout = 500
    const startedAt = performance.now()
    const socket = await connected()
    socket.pause().write(get('/file'))
    await until(async () => (await connectionsOf(app)) === 0)
    const tookMs = performance.now() - startedAt
    t.ok(tookMs >= 450, `${Math.round(tookMs)} ms`)
  })
})

/** Holds this process up: nothing of it runs, as on a machine that has no time for it. */
const holdUp = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

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
    holdUp(2_500)
    // This waits for the end of the same pause and comes after the polls, so they are answered, however late Redis runs.
    execFileSync('redis-cli', ['-p', `${redis.port}`, 'set', 'held', 'up'])
    t.same([...new Set((await Promise.all(polls)).map(({ statusCode }) => statusCode))], [200])
    t.notOk(
      lines.some((line) => line.includes('Redis is away')),
      'no connection was given up'
    )
  }
})

t.test('what holds the process up between the timer and the sweep does not count either', async (t) => {
  // The limit leaves room for a machine that stands still by itself before the process is held up.
  const limitMs = 1_000
  const deadline = createDeadline(limitMs)
  t.teardown(() => deadline.stop())
  let isGivenUp = false
  // Timers of one period run one after the other, so this one comes right after that of the sweep.
  let tickAt = performance.now()
  let ticks = 0
  const call = await new Promise<LimitedCall>((resolve) => {
    const timer = setInterval(() => {
      const before = tickAt
      tickAt = performance.now()
      ticks += 1
      // The call began before the sweep before, for no other is judged, and is in time unless this tick was late by itself.
      if (ticks < 2 || tickAt - before > limitMs / 2) return
      clearInterval(timer)
      const begun = deadline.begin(before - limitMs / 4, () => {
        isGivenUp = true
      })
      holdUp(limitMs + 100)
      // The sweep is next, and then comes the answer.
      setImmediate(resolve, begun)
    }, 50)
  })
  t.equal(deadline.end(call), true)
  t.notOk(isGivenUp)
  deadline.begin(performance.now() - 2 * limitMs, () => {
    isGivenUp = true
  })
  await until(async () => isGivenUp)
  t.equal(deadline.count(), 0, 'a call that is late is given up all the same')
})

// Tests of the start mostly wait, so they run beside the first one.
t.jobs = 3

t.test(
  '400 approved grants, 4 racing pollers each, 35 % of the replies lost: exactly one authorization each',
  { buffered: true },
  async (t) => {
    const GRANTS = 400
    const RACERS = 4
    const WAVE = 20
    const seed = Date.now() % 2 ** 31
    t.comment(`seed ${seed}`)
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const proxy = await startFaultProxy(redis.port, seededRandom(seed))
    t.teardown(() => proxy.close())
    const direct = await startApp(t, { REDIS_URL: redis.url, LIMITS: 'off', SIGNING_ALG: 'ES256' })
    const faulty = await Promise.all(
      [0, 1].map(() => startApp(t, { REDIS_URL: proxy.url, LIMITS: 'off', SIGNING_ALG: 'ES256' }))
    )
    const grants: Awaited<ReturnType<typeof direct.start>>[] = []
    const approveOne = async () => {
      const grant = await direct.start()
      await direct.decide(grant.user_code, `user ${grants.length % 20}`)
      grants.push(grant)
    }
    while (grants.length < GRANTS) await Promise.all(Array.from({ length: WAVE }, approveOne))

    proxy.lose(0.35)
    const answers = { approved: 0, unavailable: 0, other: 0 }
    const collectByAll = async ({ grant_code }: { grant_code: string }) => {
      const cids = await Promise.all(
        Array.from({ length: RACERS }, async (_, racer) => {
          const { poll } = faulty[racer % 2] as (typeof faulty)[0]
          for (let tries = 0; tries < 400; tries++) {
            const { status, body } = await poll(grant_code)
            if (status === 200 && body.status === 'approved') {
              answers.approved += 1
              return claimsOf(body.jwt).cid as string
            }
            answers[status === 503 ? 'unavailable' : 'other'] += 1
            await sleep(50)
          }
          return 'lost'
        })
      )
      return new Set(cids)
    }
    const collected: Set<string>[] = []
    // The requests come in waves, because all at once would be answered in a few large TCP chunks, and few replies
    // could be lost.
    for (let i = 0; i < GRANTS; i += WAVE) {
      collected.push(...(await Promise.all(grants.slice(i, i + WAVE).map(collectByAll))))
    }
    t.comment(`${proxy.lost()} replies lost; ${JSON.stringify(answers)}`)
    t.ok(proxy.lost() > 20, 'replies were lost')
    t.equal(answers.other, 0, 'an approved grant is approved or cannot be looked at, nothing else')
    t.equal(collected.filter((cids) => cids.has('lost')).length, 0, 'none is lost')
    t.equal(collected.filter((cids) => cids.size === 1).length, GRANTS, 'one authorization each')

    const users = await Promise.all(
      Array.from({ length: 20 }, (_, i) => direct.call('GET', '/auth/clients', { user: `user ${i}` }))
    )
    t.equal(users.flatMap(({ body }) => body.data).length, GRANTS, 'and as many authorized clients as grants')
  }
)

t.test('a Redis that would drop data is refused at start', { buffered: true }, async (t) => {
  const redis = await startRedis('--maxmemory-policy', 'allkeys-lru')
  t.teardown(() => redis.stop())
  await t.rejects(startService(t, { ...PATIENT, REDIS_URL: redis.url }), /noeviction/)
})

t.test('a Redis that comes later is waited for, red until then', { buffered: true }, async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await redis.kill()
  const service = await startService(t, { ...PATIENT, REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' })
  const api = apiClient(service.url)
  t.equal((await api.call('GET', '/readyz')).status, 503)
  t.equal((await api.call('GET', '/.well-known/jwks.json')).status, 503, 'no keys yet, and no empty set to cache')
  await redis.start()
  t.equal((await eventually(() => api.call('GET', '/readyz'))).status, 200)
  t.equal(service.output().match(/Redis is away/g)?.length, 1, 'one line per change, not per attempt')
})

t.test('lost replies never earn a slow_down, nor double a decision', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const proxy = await startFaultProxy(redis.port, () => 0)
  t.teardown(() => proxy.close())
  const { clock, ...api } = await startApp(t, { REDIS_URL: proxy.url, SIGNING_ALG: 'EdDSA' })
  const { grant_code, user_code } = await api.start()

  for (let i = 0; i < 5; i++) {
    clock.advance(5_000)
    proxy.lose(1)
    const lost = api.poll(grant_code)
    // The reply to the repeated command is not lost.
    setTimeout(() => proxy.lose(0), 30)
    const answer = await lost
    t.ok(
      answer.status === 503 || answer.body.status === 'authorization_pending',
      `poll ${i}: ${answer.status} ${answer.body.status}`
    )
    await eventually(() => api.call('GET', '/readyz'))
  }
  clock.advance(5_000)
  t.same((await api.poll(grant_code)).body, { status: 'authorization_pending' }, 'the pace was never made slower')

  proxy.lose(1)
  setTimeout(() => proxy.lose(0), 30)
  const decision = await api.decide(user_code, 'alice')
  t.ok([200, 503].includes(decision.status))
  await eventually(() => api.call('GET', '/readyz'))
  t.equal((await api.decide(user_code, 'alice')).status, 200, 'a retry of the decision is no error')
})

t.test('a key that somebody else has written is a 503 with a line of its own and a count', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const api = await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' }, { logger: { level: 'info', stream } })
  const { grant_code, user_code } = await api.start()
  const foreign = async () =>
    Number(/^grantd_redis_foreign_keys_total (\d+)$/m.exec((await api.call('GET', '/metrics')).body)?.[1])
  t.equal(await foreign(), 0, 'a zero, which an alert needs to see an increase')
  for (const key of await redis.client.keys('grantd:*')) {
    if (!/signing-keys/.test(key)) await redis.client.multi().del(key).rpush(key, 'foreign').exec()
  }
  await redis.client.rpush('grantd:authorized-client:{ann}', 'foreign')
  const answers = {
    start: await api.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } }),
    poll: await api.poll(grant_code),
    peek: await api.call('GET', `/auth/grant/peek?user_code=${user_code}`, { user: 'ann' }),
    approve: await api.decide(user_code, 'ann'),
    list: await api.call('GET', '/auth/clients', { user: 'ann' })
  }
  for (const [name, { status, headers }] of Object.entries(answers)) {
    t.match([status, headers['retry-after']], [503, name === 'poll' ? /^([5-9]|10)$/ : /^[2-4]$/], name)
  }
  t.ok((await foreign()) >= 5)
  const warnings = lines.filter((line) => line.includes('a key of Redis is of the wrong type'))
  t.ok(warnings.length >= 4, `${warnings.length} lines`)
  t.notOk(
    lines.some((line) => JSON.parse(line).code === 'internal'),
    'and no error of grantd'
  )
})

t.test('what cannot be read is a 503 by itself, left out of its list, and told to the operator', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { client } = redis
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const logger = { level: 'info', stream } as const
  const api = await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' }, { logger })
  const { app, clock } = api
  const { core, storage } = app
  const PLANTED = 'planted, and to be seen nowhere'
  const unreadable = async () =>
    Number(/^grantd_redis_foreign_keys_total (\d+)$/m.exec((await api.call('GET', '/metrics')).body)?.[1])
  const whole = { most: 10, after: undefined }

  await api.collect('ann')
  await api.collect('ann')
  const [authorization] = await core.authorizations.list('ann')
  const id = authorization?.id ?? ''
  const keys = [await core.apiKeys.create('acme', {}, BY), await core.apiKeys.create('acme', {}, BY)] as const
  const { token } = await core.browserSessions.begin({ userId: 'ann', name: 'Ann', upstreamId: 'up' }, BY)
  await core.identities.connect('up', 'subject', 'ann')
  await core.profiles.keep('ann', { name: 'Ann' })
  await core.users.block('bob', BY)
  await core.users.noteRevokedAll('eve')
  const tokens = { accessToken: 'access', refreshToken: 'refresh', scopes: ['a'], expiresAtMs: clock() + 3_600_000 }
  for (const one of ['one', 'two']) {
    const identity = { subject: one, username: one, name: one }
    await core.connections.keep('ann', one, { upstreamId: 'up', identity, tokens }, BY)
  }
  const named = { name: 'name', description: 'description' }
  const issuer = await core.issuers.create('acme', named)
  await core.issuers.create('acme', named)
  const workload = await core.workloads.create('acme', issuer.id, { name: 'one', audience: 'one' })
  await core.workloads.create('acme', issuer.id, { name: 'two', audience: 'two' })
  const domain = await core.domains.add('acme', issuer.id, 'one.example.com')
  await core.domains.add('acme', issuer.id, 'two.example.com')
  const domainId = (domain as { id: string }).id
  const holder = { account: 'acme', providerId: issuer.id, domainId, verified: 'yes', sinceMs: '1' }
  const proved = { ...holder, provedAtMs: `${clock()}` }
  await storage.domainHolders.create('one.example.com', 'holder', proved, clock() + 86_400_000)
  const tenant = await core.tenants.create('acme', named)
  await core.tenants.create('acme', named)
  const trusted = { fingerprints: ['a'.repeat(40)], audience: 'audience', earliestIssuanceTimeAllowed: 1 }
  const foreign = await core.trustedIssuers.create('acme', tenant.id, { url: 'https://one.example', ...trusted })
  await core.trustedIssuers.create('acme', tenant.id, { url: 'https://two.example', ...trusted })
  const foreignId = (foreign as { id: string }).id
  const conditions = [{ key: 'a', operator: 'stringEquals' as const, value: 'a' }]
  const rule = { ...named, audience: 'audience', conditions }
  const policy = await core.policies.create('acme', tenant.id, foreignId, rule)
  await core.policies.create('acme', tenant.id, foreignId, rule)

  interface Kind {
    key: string
    /** Fields without which it cannot be read, and fields that have to be a time or a number. */
    needs: string[]
    numbers?: string[]
    one: () => Promise<unknown>
    /** Of two rows. */
    list?: () => Promise<unknown>
  }
  const content = { needs: ['content', 'createdAtMs'], numbers: ['createdAtMs', 'updatedAtMs'] }
  const vend = () => core.connections.vend('one', { kind: 'api_key' })
  const kinds: Kind[] = [
    {
      key: `authorized-client:{ann}:${id}`,
      needs: ['clientType', 'ipAtGrant', 'createdAtMs', 'expiresAtMs'],
      numbers: ['createdAtMs', 'expiresAtMs', 'lastUsedAtMs', 'revokedAtMs'],
      one: () => core.authorizations.find('ann', id),
      list: () => core.authorizations.list('ann')
    },
    {
      key: `api-key:{acme}:${keys[0].key.id}`,
      needs: ['digest', 'createdAtMs'],
      numbers: ['createdAtMs', 'expiresAtMs', 'revokedAtMs'],
      one: () => core.apiKeys.use(keys[0].text, 'tokens'),
      list: () => core.apiKeys.list('acme')
    },
    {
      key: 'session:*',
      needs: ['userId', 'signedInAtMs', 'lastUsedAtMs'],
      numbers: ['signedInAtMs', 'authenticatedAtMs'],
      one: () => core.browserSessions.use(token)
    },
    { key: 'identity:*', needs: ['userId', 'accountId'], one: () => core.identities.connect('up', 'subject', 'ann') },
    { key: 'profile:{ann}:*', needs: ['name'], one: () => core.profiles.claims('ann', ['openid', 'profile']) },
    { key: 'user:{bob}:*', needs: [], numbers: ['blockedAtMs'], one: () => core.users.isBlocked('bob') },
    { key: 'user:{eve}:*', needs: ['revokedAllId', 'revokedAllAtMs'], one: () => core.users.standingOf('eve') },
    {
      key: 'account:{ann}:one',
      needs: ['providerId', 'subject', 'connectedAtMs', 'version'],
      numbers: ['connectedAtMs', 'expiresAtMs', 'version', 'scopes'],
      one: vend,
      list: () => core.connections.list('ann')
    },
    { key: 'account-owner:{one}:owner', needs: ['userId'], one: vend },
    {
      ...{ key: `provider:{acme}:${issuer.id}`, ...content },
      one: () => core.issuers.find('acme', issuer.id),
      list: async () => (await core.issuers.list('acme', whole)).items
    },
    { key: `provider-owner:{${issuer.id}}:owner`, needs: ['account'], one: () => core.issuers.ownerOf(issuer.id) },
    {
      ...{ key: `provider-client:{${issuer.id}}:${workload?.id}`, ...content },
      one: () => core.workloads.find('acme', issuer.id, workload?.id ?? ''),
      list: async () => (await core.workloads.list('acme', issuer.id, whole))?.items
    },
    {
      ...{ key: `domain:{${issuer.id}}:${domainId}`, ...content },
      one: () => core.domains.find('acme', issuer.id, domainId),
      list: async () => (await core.domains.list('acme', issuer.id, whole))?.items
    },
    {
      key: 'domain-holder:{one.example.com}:holder',
      needs: ['account', 'providerId', 'domainId'],
      numbers: ['provedAtMs', 'missingSinceMs'],
      one: () => core.domains.issuerOf('one.example.com')
    },
    {
      ...{ key: `tenant:{acme}:${tenant.id}`, ...content },
      one: () => core.tenants.find('acme', tenant.id),
      list: async () => (await core.tenants.list('acme', whole)).items
    },
    {
      ...{ key: `tenant-provider:{${tenant.id}}:${foreignId}`, ...content },
      one: () => core.trustedIssuers.find('acme', tenant.id, foreignId),
      list: async () => (await core.trustedIssuers.list('acme', tenant.id, whole))?.items
    },
    {
      ...{ key: `tenant-policy:{${tenant.id}}:${policy?.id}`, ...content },
      one: () => core.policies.find('acme', tenant.id, foreignId, policy?.id ?? ''),
      list: async () => (await core.policies.list('acme', tenant.id, foreignId, whole))?.items
    }
  ]

  t.test('every kind of record is looked at', async (t) => {
    const found = await client.keys('grantd:*')
    const families = new Set(found.map((key) => key.split(':')[1]))
    // What is no record. A marker and an index that cannot be read hold up nothing.
    const others = ['grant', 'user-code', 'refresh-family', 'signing-keys', 'limit', 'lock', 'events', 'marker']
    for (const other of [...others, 'evidence', 'authorized-client-parent']) families.delete(other)
    t.same([...new Set(kinds.map(({ key }) => key.split(':')[0] as string))].sort(), [...families].sort())
  })

  /** Says what goes wrong while a key is damaged; it is whole again afterwards. */
  async function whileDamaged(t: Test, key: string, kind: Pick<Kind, 'one' | 'list'>, damage: () => Promise<unknown>) {
    const whole = (await client.dumpBuffer(key)) as Buffer
    const before = await unreadable()
    await damage()
    await t.rejects(kind.one(), { name: 'Fault', code: 'unavailable' }, 'one')
    if (kind.list) t.equal(((await kind.list()) as unknown[]).length, 1, 'the other row of the list')
    t.ok((await unreadable()) >= before + (kind.list ? 2 : 1), 'counted')
    await client.restore(key, 86_400_000, whole, 'REPLACE')
    await t.resolves(kind.one(), 'whole again')
  }

  for (const { key: pattern, needs, numbers = [], ...kind } of kinds) {
    t.test(pattern.slice(0, pattern.indexOf(':')), async (t) => {
      const found = (await client.keys(`grantd:${pattern}`)).filter((one) => !one.endsWith('}'))
      t.equal(found.length, 1, pattern)
      const key = found[0] as string
      const damages: Record<string, () => Promise<unknown>> = {
        'another hash': () => client.multi().del(key).hset(key, 'foreign', PLANTED).exec(),
        'another type': () => client.multi().del(key).rpush(key, PLANTED).exec()
      }
      for (const field of needs)
        damages[`without ${field}`] = () => client.multi().hset(key, 'foreign', PLANTED).hdel(key, field).exec()
      for (const field of numbers) damages[`${field} is none`] = () => client.hset(key, field, PLANTED)
      if (numbers.includes('createdAtMs')) {
        damages['a time that no date can hold'] = () => client.hset(key, 'createdAtMs', '9'.repeat(16))
      }
      if (needs.includes('content')) {
        for (const text of [PLANTED, '{', '{}', '[]', 'null', '"text"']) {
          damages[`content is ${text}`] = () => client.hset(key, 'content', text)
        }
      }
      for (const [name, damage] of Object.entries(damages)) {
        t.test(name, (t) => whileDamaged(t, key, kind, damage))
      }
    })
  }

  t.test('the name of a resource', async (t) => {
    const names = (await client.keys('grantd:domain:{names*')).filter((key) => !key.endsWith('}'))
    t.equal(names.length, 2)
    for (const key of names) await client.multi().del(key).hset(key, 'foreign', PLANTED).exec()
    const again = async () => {
      await client.hset(`grantd:domain:{${issuer.id}}:${domainId}`, 'content', '{')
      return core.domains.add('acme', issuer.id, 'one.example.com')
    }
    await t.rejects(again(), { code: 'unavailable' })
  })

  t.test('signing keys', async (t) => {
    const key = `grantd:signing-keys:${issuer.id}`
    const kid = (await client.hget(key, 'newest')) as string
    const stored = JSON.parse((await client.hget(key, kid)) as string)
    const one = async () => {
      clock.advance(60_000)
      return core.workloadTokens.mint('acme', issuer.id, workload?.id ?? '', {}, null)
    }
    const put = (value: unknown) => () => client.hset(key, kid, JSON.stringify(value))
    const damages: Record<string, () => Promise<unknown>> = {
      'no JSON': () => client.hset(key, kid, PLANTED),
      'another value': put([PLANTED]),
      'no private half': put({ ...stored, sealedPrivateKey: undefined }),
      'a private half that does not open': put({ ...stored, kid, sealedPrivateKey: 'v1.a.b.c' }),
      'a time that is none': put({ ...stored, signsFromMs: PLANTED }),
      'no key left': () => client.hdel(key, kid),
      'nobody is the newest': () => client.hset(key, 'newest', PLANTED)
    }
    for (const [name, damage] of Object.entries(damages)) {
      t.test(name, async (t) => {
        const fresh = await startApp(t, { REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA' }, { testClock: clock })
        const mint = () => fresh.app.core.workloadTokens.mint('acme', issuer.id, workload?.id ?? '', {}, null)
        const whole = (await client.dumpBuffer(key)) as Buffer
        await damage()
        await t.rejects(mint(), { name: 'Fault', code: 'unavailable' })
        await client.restore(key, 0, whole, 'REPLACE')
        await t.resolves(mint())
      })
    }
    t.test('whoever has read them is told as well', (t) => whileDamaged(t, key, { one }, put([PLANTED])))
  })

  t.test('grants, user codes, limits and refresh families', async (t) => {
    const fresh = async () => {
      const known = new Set(await client.keys('grantd:grant:*'))
      const codes = await api.start()
      const key = (await client.keys('grantd:grant:*')).find((one) => !known.has(one)) as string
      return { ...codes, key, text: (await client.get(key)) as string }
    }
    const expected = async (t: Test, answer: Promise<{ status: number; body: unknown }>, name: string) => {
      const before = await unreadable()
      t.match(await answer, { status: 503, body: { error: 'Service Unavailable. Please try again.' } }, name)
      t.ok((await unreadable()) > before, `${name}: counted`)
    }
    const lookAt = (code: string) => api.call('GET', `/auth/grant/peek?user_code=${code}`, { user: 'ann' })
    const grant = await fresh()
    const [head = '', request = ''] = grant.text.split('\n')
    const wholes: Record<string, string> = {
      'another text': PLANTED,
      'times that are none': `${head.slice(0, 8)}${'x'.repeat(13)}${head.slice(21)}\n${request}`,
      'another phase': `z${head.slice(1)}\n${request}`
    }
    for (const [name, text] of Object.entries(wholes)) {
      await client.set(grant.key, text)
      await expected(t, api.poll(grant.grant_code), `poll: ${name}`)
      await expected(t, lookAt(grant.user_code), `peek: ${name}`)
      await expected(t, api.decide(grant.user_code, 'ann'), `approve: ${name}`)
      t.equal(await client.get(grant.key), text, 'and it stays as it is')
    }
    for (const [name, text] of Object.entries({ 'no JSON': PLANTED, 'no request': '{}', 'too short': '["cli"]' })) {
      await client.set(grant.key, `${head}\n${text}`)
      await expected(t, lookAt(grant.user_code), `peek: request is ${name}`)
    }
    const approved = await fresh()
    await api.decide(approved.user_code, 'ann')
    const [first, second] = ((await client.get(approved.key)) as string).split('\n')
    for (const third of [[], [PLANTED], ['{}'], ['{"user":1,"client":"c","ip":"i"}']]) {
      await client.set(approved.key, [first, second, ...third].join('\n'))
      await expected(t, api.poll(approved.grant_code), `poll: decision is ${third}`)
      await expected(t, api.decide(approved.user_code, 'ann'), `approve again: decision is ${third}`)
    }
    const coded = await fresh()
    for (const key of await client.keys('grantd:user-code:*')) await client.set(key, PLANTED)
    await expected(t, lookAt(coded.user_code), 'user code')

    const { storage: stored } = app
    const digests = ['a', 'b', 'c'].map((letter) => letter.repeat(43)) as [string, string, string]
    const key = 'grantd:refresh-family:family'
    await stored.refreshFamilies.begin('family', { userId: 'ann', currentDigest: digests[0] }, clock() + 60_000)
    await stored.refreshFamilies.rotate('family', digests[0], digests[1])
    const damages: Record<string, () => Promise<unknown>> = {
      'without user': () => client.hdel(key, 'user'),
      'current is none': () => client.hset(key, 'current', PLANTED),
      'without rotated': () => client.hdel(key, 'rotated'),
      'rotated is none': () => client.hset(key, 'rotated', PLANTED),
      'rotated at no time': () => client.hset(key, 'rotated', 'x'.repeat(56))
    }
    for (const [name, damage] of Object.entries(damages)) {
      const whole = (await client.dumpBuffer(key)) as Buffer
      await damage()
      const used: Promise<unknown> = name.startsWith('without user')
        ? stored.refreshFamilies.find('family')
        : stored.refreshFamilies.rotate('family', digests[2], digests[0])
      await t.rejects(used, { name: 'Fault', code: 'unavailable' }, `refresh family ${name}`)
      await client.restore(key, 0, whole, 'REPLACE')
    }

    for (const text of [PLANTED, `${2n ** 63n - 1n}`]) {
      await client.set('grantd:limit:x', text)
      await t.rejects(stored.limits.hit('x', 60_000), { name: 'Fault', code: 'unavailable' }, 'a count')
    }
  })

  t.test('what users and operators see of it', async (t) => {
    const key = `grantd:authorized-client:{ann}:${id}`
    await client.hset(key, 'expiresAtMs', PLANTED)
    const listed = await api.call('GET', '/auth/clients', { user: 'ann' })
    t.equal(listed.status, 200)
    t.notOk(listed.body.data.some((row: { id: string }) => row.id === id))
    t.ok(listed.body.data.length >= 1)
    const renamed = await api.call('PATCH', `/auth/clients/${id}`, { user: 'ann', body: { label: 'x' } })
    t.match(renamed, { status: 503, body: { error: 'Service Unavailable. Please try again.' } })
    await client.hset(`grantd:provider:{acme}:${issuer.id}`, 'content', PLANTED)
    const asked = await api.call('GET', `/v1/providers/${issuer.id}`, { token: keys[0].text })
    t.match(asked, { status: 503, body: { code: 'unavailable' } })

    const told = lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^a key of Redis cannot be read/.test(msg))
    for (const { key: name } of kinds) {
      const family = name.split(':')[0]
      const own = told.filter(({ msg }) => msg.includes(`one of ${family} (`))
      t.ok(own.length >= 1, `${family}: ${own.length} lines`)
    }
    t.ok(told.length <= 3 * kinds.length, `${told.length} lines: one a minute for each family`)
    t.notOk(
      lines.some((line) => line.includes('planted')),
      'the content is in no line'
    )
    t.notOk(
      lines.some((line) => JSON.parse(line).code === 'internal'),
      'and it is no error of grantd'
    )
  })
})

t.test('Redis gone, silent, paused or loading', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = {
    ...{ REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com' },
    ...{ SIGNING_ALG: 'EdDSA', LOG_LEVEL: 'warn', LIMITS: 'on' }
  }
  const service = await startService(t, variables)
  const api = apiClient(service.url)
  // Whatever is not to be refused is asked of an instance that gives a Redis on a busy machine its time.
  const patient = await startApp(t, variables)
  const pending = await patient.start()
  const approved = await patient.start()
  await patient.decide(approved.user_code, 'alice')
  const jwt = await patient.collect('alice')
  /**
   * Changes are tried only on these. A change answered with 503 may still be applied later, so no other test relies on
   * them.
   */
  const victim = await patient.start()
  const victimId = claimsOf(await patient.collect('mallory')).cid as string
  const state = { api, pending, approved, jwt, victim, victimId }

  await t.test('gone', async (t) => {
    await redis.kill()
    await sleep(50)
    await refusesEverything(t, state)
    await redis.start()
    await recovers(t, state)
  })

  await t.test('silent (SIGSTOP)', async (t) => {
    process.kill(redis.pid(), 'SIGSTOP')
    await refusesEverything(t, state)
    process.kill(redis.pid(), 'SIGCONT')
    await recovers(t, state)
  })

  await t.test('paused', async (t) => {
    // A pause holds up all but replicas. So whoever says that it is one can end a pause that no machine outlasts.
    const replica = connect(redis.port, '127.0.0.1')
    t.teardown(() => replica.destroy())
    replica.write('PSYNC ? -1\r\n')
    await once(replica, 'data')
    await redis.client.call('CLIENT', 'PAUSE', '600000', 'ALL')
    await refusesEverything(t, state)
    replica.write('CLIENT UNPAUSE\r\n')
    await recovers(t, state)
  })

  await t.test('loading', async (t) => {
    // There are a few thousand keys, and each is delayed until somebody says that it is enough. Redis listens after each kilobyte.
    await redis.client.config('SET', 'rdbcompression', 'no')
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => redis.client.set(`ballast:${i}`, 'x'.repeat(1_000))))
    await redis.client.call('BGREWRITEAOF')
    while (/aof_rewrite_(in_progress|scheduled):1/.test(await redis.client.info('persistence'))) await sleep(20)
    await redis.kill()
    redis.launch('--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024')
    // The other client takes a server that loads for none.
    const asItIs = { enableReadyCheck: false, maxRetriesPerRequest: null, retryStrategy: () => 50 }
    const loading = new Redis(redis.port, '127.0.0.1', asItIs)
    t.teardown(() => loading.disconnect())
    loading.on('error', () => {})
    await until(async () => / name=grantd /.test(String(await loading.client('LIST'))))
    t.match(await loading.info('persistence'), /^loading:1/m)
    await refusesEverything(t, state)
    t.match(await loading.info('persistence'), /^loading:1/m, 'to the end')
    await loading.config('SET', 'key-load-delay', '0')
    await recovers(t, state)
  })

  await t.test('memory full: nothing new, but what is there goes on and can be revoked', async (t) => {
    t.equal((await eventually(() => patient.call('GET', '/readyz'))).status, 200)
    const denied = await patient.start()
    const used = Number(/used_memory:(\d+)/.exec(await redis.client.info('memory'))?.[1])
    // The limit is far below the used memory, because Redis does not count AOF buffers against it, and they vary by
    // kilobytes.
    await redis.client.config('SET', 'maxmemory', Math.floor(used / 2))
    const start = await patient.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })
    t.equal(start.status, 503, 'no new grant')
    t.ok(Number(start.headers['retry-after']) >= 1)
    t.equal((await patient.poll(denied.grant_code)).body.status, 'authorization_pending')
    t.equal((await patient.decide(denied.user_code, 'alice', 'deny')).status, 200)
    t.equal((await patient.poll(denied.grant_code)).body.status, 'access_denied')
    t.equal((await patient.poll(approved.grant_code)).body.status, 'approved', 'an approval is collected')
    t.equal((await patient.call('DELETE', `/auth/clients/${claimsOf(jwt).cid}`, { user: 'alice' })).status, 200)
    t.equal((await patient.call('GET', '/auth/clients', { token: jwt })).status, 401, 'revoked')
    await redis.client.config('SET', 'maxmemory', 0)
    t.equal((await patient.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })).status, 200)
  })
})

t.test(
  'a token whose key an instance does not know: that it could not look is never that there is no such key',
  async (t) => {
    const redis = await startRedis()
    t.teardown(() => redis.stop())
    const variables = { REDIS_URL: redis.url, PUBLIC_URL: 'https://grants.example.com' }
    const maker = await startOAuthApp(t, variables)
    const unaware = (more: Record<string, string> = {}) => startOAuthApp(t, { ...variables, ...IMPATIENT, ...more })
    const collect = async () => (await maker.tokens(BOX, 'openid reports.read')).access_token
    const collectAsCli = async () => (await maker.tokens()).access_token

    /** Makes a key that signs at once, and waits until it does: the clock of the maker stands still. */
    async function rotate(): Promise<string> {
      const { kid, signsFromMs } = await maker.app.core.signingKeys.rotate('now', BY)
      maker.clock.advance(signsFromMs - maker.clock())
      return kid
    }

    interface Asked {
      app: OAuthApp
      /** Of a confidential client, whose requests no limit is counted for. */
      token: string
      ofCli: string
    }
    /** Whatever reads an access token, with what it answers for a good one. Revocations come last. */
    const requests = ({ app, token, ofCli }: Asked): [string, number, () => Promise<Answer>][] => [
      ['check', 204, () => app.call('GET', '/oauth/check', { token })],
      ['introspection', 200, () => app.introspect(token)],
      ['userinfo', 200, () => app.userinfo(token)],
      ['userinfo by POST', 200, () => app.call('POST', '/oauth/userinfo', { token })],
      ['list', 200, () => app.call('GET', '/auth/clients', { token: ofCli })],
      ['connections', 403, () => app.call('GET', '/api/v0/oauthAccounts', { token: ofCli })],
      ['token of a connection', 403, () => app.call('GET', '/api/v0/oauthAccounts/x/accessToken', { token: ofCli })],
      [
        'rename',
        200,
        () => app.call('PATCH', `/auth/clients/${claimsOf(ofCli).cid}`, { token: ofCli, body: { label: 'x' } })
      ],
      ['revocation', 200, () => app.revoke(token, BOX)],
      ['revocation by whoever has it', 200, () => app.post('/oauth/revoke', { token: ofCli })]
    ]

    /** Twice, because the second was answered by what was left of the first. */
    async function cannotLook(t: Test, asked: Asked): Promise<void> {
      for (let i = 1; i <= 2; i++) {
        const answers = await Promise.all(requests(asked).map(async ([name, , ask]) => ({ name, ...(await ask()) })))
        for (const { name, status, headers, body } of answers) {
          t.match({ status, headers }, { status: 503, headers: { 'retry-after': /^[1-9]\d*$/ } }, `${name}, time ${i}`)
          t.notOk('active' in body, `${name}: no verdict`)
        }
      }
    }

    async function isGoodAgain(t: Test, asked: Asked): Promise<void> {
      for (const [name, good, ask] of requests(asked)) {
        const { status, body } = await eventually(ask)
        t.equal(status, good, name)
        if (name === 'introspection') t.equal(body.active, true)
      }
      for (const token of [asked.token, asked.ofCli]) {
        t.equal((await eventually(() => asked.app.call('GET', '/oauth/check', { token }))).status, 401, 'revoked')
      }
    }

    await t.test('an instance that was started while Redis is gone', async (t) => {
      const [token, ofCli] = [await collect(), await collectAsCli()]
      await redis.kill()
      const app = await unaware({ SIGNING_ALG: 'ES256' })
      await cannotLook(t, { app, token, ofCli })
      await redis.start()
      await isGoodAgain(t, { app, token, ofCli })
      await until(async () => app.app.core.signingKeys.published().length === 2)
      t.same(
        app.app.core.signingKeys.published().map(({ alg }) => alg),
        ['EdDSA', 'ES256'],
        'it does what it does at a start, though requests read the keys before'
      )
    })

    await t.test('one that read its keys a moment before another one signs at once', async (t) => {
      await eventually(() => maker.call('GET', '/readyz'))
      const app = await unaware(PATIENT)
      const kid = await rotate()
      const token = await collect()
      t.equal(decodeProtectedHeader(token).kid, kid)
      t.notOk(app.app.core.signingKeys.published().some((key) => key.kid === kid))
      const strangers = Array.from({ length: 10 }, (_, i) => {
        const header = Buffer.from(JSON.stringify({ typ: 'at+jwt', alg: 'EdDSA', kid: `guess ${i}` }))
        return `${header.toString('base64url')}.${token.split('.').slice(1).join('.')}`
      })
      const ask = (token: string) => app.call('GET', '/oauth/check', { token })
      for (const [tokens, status] of [
        [strangers, 401],
        [Array.from({ length: 10 }, () => token), 204]
      ] as const) {
        const answers = await Promise.all(tokens.map(ask))
        t.same([...new Set(answers.map((answer) => answer.status))], [status])
      }
    })

    await t.test('one whose Redis is silent when it meets the key', async (t) => {
      const app = await unaware()
      const kid = await rotate()
      const [token, ofCli] = [await collect(), await collectAsCli()]
      for (const one of [token, ofCli]) t.equal(decodeProtectedHeader(one).kid, kid)
      process.kill(redis.pid(), 'SIGSTOP')
      await cannotLook(t, { app, token, ofCli })
      process.kill(redis.pid(), 'SIGCONT')
      await isGoodAgain(t, { app, token, ofCli })
    })
  }
)

t.test('a Redis that comes back and does not let itself be listened to any more costs no instance', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const service = await startService(t, { ...PATIENT, REDIS_URL: redis.url, SIGNING_ALG: 'EdDSA', LOG_LEVEL: 'warn' })
  const api = apiClient(service.url)
  const feedIsUp = async () => /^grantd_decision_feed_up 1$/m.test((await api.call('GET', '/metrics')).body)
  await until(feedIsUp)
  await redis.kill()
  // Redis refuses the subscription on the new connection, as an old primary of a Cluster does after it has become a
  // replica.
  await redis.start('--user', 'default', 'on', 'nopass', '~*', 'resetchannels', '+@all')
  t.equal((await eventually(() => api.call('GET', '/readyz'))).status, 200)
  while (!/polls cannot be held/.test(service.output())) await sleep(50)
  t.match(service.output(), /polls cannot be held/, 'it has tried to listen')
  t.notMatch(service.output(), /an error nobody caught/)
  t.equal(service.process.exitCode, null, 'it goes on')
  t.notOk(await feedIsUp())
  t.match((await api.start()).user_code, /^[A-Z]{4}-[A-Z]{4}$/)
})

interface State {
  api: ApiClient
  pending: { grant_code: string; user_code: string }
  approved: { grant_code: string; user_code: string }
  jwt: string
  victim: { user_code: string }
  victimId: string
}

/** Checks that every stateful route answers 503 with Retry-After within a second, whatever its answer would be. */
async function refusesEverything(t: Test, { api, pending, approved, jwt, victim, victimId }: State): Promise<void> {
  const user = 'mallory'
  const requests: [string, () => Promise<HttpAnswer>][] = [
    ['start', () => api.call('POST', '/auth/grant/code', { body: { client_type: 'cli' } })],
    ['poll of a pending grant', () => api.poll(pending.grant_code)],
    ['poll of an approved grant', () => api.poll(approved.grant_code)],
    ['poll of an unknown grant', () => api.poll('A'.repeat(43))],
    ['peek', () => api.call('GET', `/auth/grant/peek?user_code=${pending.user_code}`, { user })],
    ['approve', () => api.decide(victim.user_code, user)],
    ['list as a user', () => api.call('GET', '/auth/clients', { user })],
    ['list as a client', () => api.call('GET', '/auth/clients', { token: jwt })],
    ['check for a proxy', () => api.call('GET', '/oauth/check', { token: jwt })],
    ['rename', () => api.call('PATCH', `/auth/clients/${victimId}`, { user, body: { label: 'x' } })],
    ['revoke', () => api.call('DELETE', `/auth/clients/${victimId}`, { user })]
  ]
  // Health checks need no Redis: what they take is what the machine holds up, here or there.
  const elapsed = startStopwatch(t, () => api.call('GET', '/healthz'))
  const answers = await Promise.all(
    requests.map(async ([name, request]) => ({ name, ...(await request()), ms: elapsed() }))
  )
  for (const { name, status, headers, body, ms } of answers) {
    t.equal(status, 503, name)
    t.match(headers.get('retry-after'), /^[1-9]\d*$/, `${name}: Retry-After`)
    t.same(Object.keys(body), ['error'], `${name}: the error shape`)
    t.ok(ms < 1_000, `${name}: within a second (${Math.round(ms)} ms)`)
  }
  t.equal((await api.call('GET', '/readyz')).status, 503, 'readiness is red')
  t.equal((await api.call('GET', '/healthz')).status, 200, 'health is green')
  t.equal((await api.call('GET', '/.well-known/jwks.json')).status, 200, 'keys are served from memory')
}

async function recovers(t: Test, { api, pending, jwt }: State): Promise<void> {
  t.equal((await eventually(() => api.call('GET', '/readyz'))).status, 200, 'recovers by itself')
  const poll = await eventually(() => api.poll(pending.grant_code))
  t.match(poll.body.status, /authorization_pending|slow_down/, 'the pending grant is still pending')
  const list = await eventually(() => api.call('GET', '/auth/clients', { token: jwt }))
  t.equal(list.status, 200, 'the client is still authorized')
}

/** Asks until it is answered. What is never answered ends with the test. */
async function eventually<T extends { status: number }>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (answer.status !== 503) return answer
    await sleep(50)
  }
}

t.test('a slow Redis: a request waits for it no longer than it may, whatever it asks', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const proxy = await startFaultProxy(redis.port, () => 1)
  t.teardown(() => proxy.close())
  // Three seconds for Redis, so that a busy machine has two for itself where Redis is only a little slow. What it takes of the times
  // below is not counted.
  const REDIS_TIMEOUT_MS = '3000'
  const api = await startApp(t, { REDIS_TIMEOUT_MS, REDIS_URL: proxy.url, SIGNING_ALG: 'EdDSA', LIMITS: 'on' })
  const grant = await api.start()
  /** Runs a peek, a start and a list, which make between one and six consecutive calls to Redis. */
  const ask = async () => {
    const path = `/api/v0/auth/grant/peek?user_code=${grant.user_code}`
    const headers = { authorization: `Bearer ${await sessionOf('ann')}` }
    const elapsed = startStopwatch(t)
    const asked = [
      api.app.inject({ url: path, headers }),
      api.app.inject({ method: 'POST', url: '/api/v0/auth/grant/code', payload: { client_type: 'cli' } }),
      api.app.inject({ url: '/api/v0/auth/clients', headers })
    ] as const
    const wholeMs = Promise.all(asked.slice(0, 2)).then(elapsed)
    const answers = await Promise.all(asked)
    return { answers, ms: elapsed(), wholeMs: await wholeMs }
  }

  proxy.delay(100)
  for (const { statusCode, body } of (await ask()).answers) t.equal(statusCode, 200, `at 100 ms: ${body}`)
  proxy.delay(1_200)
  const slow = await ask()
  const [peek] = slow.answers
  t.match(peek, { statusCode: 503, headers: { 'retry-after': /^\d+$/ } }, 'at 1.2 s what asks most is refused')
  // After three seconds, and not only after the third call: the stopwatch does not see what holds up for less than its tick.
  t.ok(slow.wholeMs < 3_550, `peek and start were answered within ${slow.wholeMs.toFixed(0)} ms`)
  // A list may be long: it is read in pieces, each of which has half of the time, after what comes before it.
  t.ok(slow.ms < 3_000 + 1_700, `and the list within ${slow.ms.toFixed(0)} ms`)
  proxy.delay(6_000)
  const silent = await ask()
  t.same(
    silent.answers.map(({ statusCode }) => statusCode),
    [503, 503, 503]
  )
  // One call has half of the time, and the whole of it would be twice as long.
  t.ok(silent.ms < 2_250, `at 6 s: ${silent.ms.toFixed(0)} ms`)
})
