/**
 * Checks held polls (Prefer: wait): a decision ends them at once on any instance, and no other end of a wait loses
 * anything.
 */
import { request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import { PATIENT, startApp } from '../support/app.js'
import { apiClient, type HttpAnswer } from '../support/client.js'
import { freePort } from '../support/ports.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { type Service, startService } from '../support/service.js'
import { until } from '../support/until.js'

/**
 * The wait is so long that half of it separates two cases on any machine: a wait that a decision ends, and one that
 * times out.
 */
const WAIT_SECONDS = 20
const HALF_A_WAIT_MS = (WAIT_SECONDS * 1_000) / 2

interface Held {
  answer: Promise<HttpAnswer>
  /** Aborts the connection without waiting for the answer. */
  abort(): void
}

/** Polls with a preference at the endpoint of a surface. */
function poll(url: string, surface: 'dashboard' | 'oauth', code: string, prefer = `wait=${WAIT_SECONDS}`): Held {
  const aborting = new AbortController()
  const [path, body] =
    surface === 'dashboard'
      ? ['/api/v0/auth/grant/token', { grant_code: code }]
      : ['/oauth/token', { grant_type: DEVICE_CODE_GRANT, client_id: 'cli', device_code: code }]
  const startedAt = performance.now()
  const ask = async (): Promise<HttpAnswer> => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer },
      body: JSON.stringify(body),
      signal: aborting.signal
    })
    return {
      status: answer.status,
      body: await answer.json(),
      headers: answer.headers,
      ms: performance.now() - startedAt
    }
  }
  return { answer: ask(), abort: () => aborting.abort() }
}

const applied = ({ headers }: HttpAnswer) => headers.get('preference-applied')
const stateOf = ({ body }: HttpAnswer) => body.status ?? body.error ?? (body.access_token ? 'approved' : 'nothing')

/** Returns how many polls an instance holds, by its own metrics. */
async function heldBy({ url }: Service): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^grantd_held_polls (\d+)$/m.exec(text)?.[1])
}

const untilHeld = (service: Service, count: number) => until(async () => (await heldBy(service)) === count)

/** Counts the commands that Redis has run, except those that keep connections alive or come from this function. */
async function commandsRun({ client }: RedisServer): Promise<number> {
  const text = await client.info('commandstats')
  const counts = [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  const own = ['ping', 'info', 'client', 'hello', 'auth', 'select', 'subscribe']
  return counts
    .filter(([, name = '']) => !own.includes(name.split('|')[0] ?? ''))
    .reduce((sum, [, , count]) => sum + Number(count), 0)
}

t.test('two instances over one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const variables = { ...PATIENT, REDIS_URL: redis.url, LOG_LEVEL: 'warn', LIMITS: 'off', SIGNING_ALG: 'EdDSA' }
  const whole = t
  const [here, there] = (await Promise.all([startService(whole, variables), startService(whole, variables)])) as [
    Service,
    Service
  ]
  const [api, elsewhere] = [apiClient(here.url), apiClient(there.url)]

  for (const surface of ['dashboard', 'oauth'] as const) {
    for (const [action, state] of [
      ['approve', 'approved'],
      ['deny', 'access_denied']
    ] as const) {
      await t.test(`${surface}: "${action}" on another instance is heard at once`, async (t) => {
        const { grant_code, user_code } = await elsewhere.start()
        const held = poll(here.url, surface, grant_code)
        await untilHeld(here, 1)
        const decidedAt = performance.now()
        t.equal((await elsewhere.decide(user_code, 'alice', action)).status, 200)
        const answer = await held.answer
        t.ok(performance.now() - decidedAt < HALF_A_WAIT_MS, `${Math.round(performance.now() - decidedAt)} ms`)
        t.equal(stateOf(answer), state)
        t.equal(applied(answer), 'wait=20')
        t.equal(await heldBy(here), 0)
      })
    }
  }

  for (const surface of ['dashboard', 'oauth'] as const) {
    await t.test(`${surface}: a withdrawal on another instance is heard at once`, async (t) => {
      const { grant_code } = await elsewhere.start()
      const held = poll(here.url, surface, grant_code)
      await untilHeld(here, 1)
      const ways = {
        dashboard: () => elsewhere.call('POST', '/auth/grant/revoke', { body: { grant_code } }),
        oauth: () => elsewhere.call('POST', '/oauth/revoke', { body: { client_id: 'cli', token: grant_code } })
      }
      t.equal((await ways[surface]()).status, 200)
      const answer = await held.answer
      t.equal(stateOf(answer), 'expired_token')
      t.equal(applied(answer), 'wait=20')
      t.equal(await heldBy(here), 0)
    })
  }

  await t.test('a wait ends with pending when its time is up, and counts as one poll', async (t) => {
    for (const surface of ['dashboard', 'oauth'] as const) {
      const { grant_code } = await api.start()
      const longer = poll(here.url, 'oauth', (await api.start()).grant_code, 'wait=4')
      let isLongerOver = false
      longer.answer.then(
        () => {
          isLongerOver = true
        },
        () => {}
      )
      await untilHeld(here, 1)
      const answer = await poll(here.url, surface, grant_code, 'wait=1').answer
      t.equal(stateOf(answer), 'authorization_pending')
      t.ok(answer.ms >= 1_000, `not before: ${Math.round(answer.ms)} ms`)
      t.notOk(isLongerOver, 'and before one that began earlier and is longer')
      longer.abort()
      await untilHeld(here, 0)
      t.equal(applied(answer), 'wait=1')
      const early = await poll(there.url, surface, grant_code, 'wait=20').answer
      t.equal(stateOf(early), 'slow_down', 'the next one came too early')
      t.equal(early.body.interval, 10)
      t.ok(early.ms < HALF_A_WAIT_MS, 'and was told so at once')
      t.equal(applied(early), null)
    }
  })

  await t.test('more than 30 seconds are not waited', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'oauth', grant_code, 'respond-async, wait=3600; x="a, wait=1"')
    await untilHeld(here, 1)
    await api.decide(user_code, 'alice')
    t.equal(applied(await held.answer), 'wait=30')
  })

  await t.test('who does not ask, or asks for nothing that can be understood, is answered at once', async (t) => {
    for (const prefer of ['', 'wait', 'wait=0', 'wait=-1', 'wait=x', 'return=minimal', 'awaiting=20', '"wait=20"']) {
      const { grant_code } = await api.start()
      const answer = await poll(here.url, 'dashboard', grant_code, prefer).answer
      t.equal(stateOf(answer), 'authorization_pending', prefer)
      t.ok(answer.ms < HALF_A_WAIT_MS)
      t.equal(applied(answer), null)
    }
  })

  await t.test('what is decided, or nothing, is told without waiting', async (t) => {
    const { grant_code, user_code } = await api.start()
    await api.decide(user_code, 'alice', 'deny')
    const [denied, unknown] = await Promise.all(
      [grant_code, 'x'.repeat(43)].map((code) => poll(here.url, 'oauth', code).answer)
    )
    t.equal(denied && stateOf(denied), 'access_denied')
    t.equal(unknown && stateOf(unknown), 'invalid_grant')
    t.ok(Math.max(denied?.ms ?? 0, unknown?.ms ?? 0) < HALF_A_WAIT_MS)
  })

  await t.test('a client that leaves takes its wait along, and loses nothing', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'dashboard', grant_code)
    held.answer.catch(() => {})
    await untilHeld(here, 1)
    held.abort()
    await untilHeld(here, 0)
    await api.decide(user_code, 'alice')
    t.equal(stateOf(await poll(here.url, 'dashboard', grant_code).answer), 'approved')
  })

  await t.test('a poll that is approved while its client leaves can be collected again', async (t) => {
    for (let i = 0; i < 5; i++) {
      const { grant_code, user_code } = await api.start()
      const held = poll(here.url, 'dashboard', grant_code)
      held.answer.catch(() => {})
      await untilHeld(here, 1)
      const decided = elsewhere.decide(user_code, 'bob')
      if (i % 2) await decided
      held.abort()
      await decided
      t.equal(stateOf(await poll(there.url, 'dashboard', grant_code).answer), 'approved')
    }
    const clients = await api.call('GET', '/auth/clients', { user: 'bob' })
    t.equal(clients.body.data.length, 5, 'one authorization each')
  })

  await t.test('200 waits cost Redis nothing while they wait, and each hears of its own decision alone', async (t) => {
    const grants = await Promise.all(Array.from({ length: 200 }, () => api.start()))
    const held = grants.map(({ grant_code }) => poll(here.url, 'oauth', grant_code, 'wait=30'))
    await untilHeld(here, 200)
    const before = await commandsRun(redis)
    await sleep(1_000)
    t.equal((await commandsRun(redis)) - before, 0, 'commands in a second')
    const subscribers = String(await redis.client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
      .trim()
      .split('\n')
    t.equal(subscribers.length, 2, 'one connection that listens for each instance')
    await Promise.all(
      grants.map(({ user_code }, i) => elsewhere.decide(user_code, `user ${i}`, i % 2 ? 'approve' : 'deny'))
    )
    const states = (await Promise.all(held.map(({ answer }) => answer))).map(stateOf)
    t.strictSame(
      states,
      grants.map((_, i) => (i % 2 ? 'approved' : 'access_denied'))
    )
  })

  await t.test('a decision taken while the instance could not hear is told when it can again', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'dashboard', grant_code)
    await untilHeld(here, 1)
    // Both are sent together, so that no subscriber is back before the decision.
    await Promise.all([redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'), elsewhere.decide(user_code, 'carol')])
    const answer = await held.answer
    t.equal(stateOf(answer), 'approved')
    t.ok(answer.ms < HALF_A_WAIT_MS, `${Math.round(answer.ms)} ms`)
  })

  await t.test('a wait outlives a restart of Redis', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'dashboard', grant_code)
    await untilHeld(here, 1)
    await redis.kill()
    await redis.start()
    for (const one of [api, elsewhere]) await until(async () => (await one.call('GET', '/readyz')).status === 200)
    t.equal((await elsewhere.decide(user_code, 'carol')).status, 200)
    t.equal(stateOf(await held.answer), 'approved')
  })

  await t.test('an instance that stops answers its waits as pending, and the next one takes them over', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'oauth', grant_code)
    await untilHeld(here, 1)
    const startedAt = performance.now()
    const stopped = here.stop('SIGTERM')
    const answer = await held.answer
    t.equal(stateOf(answer), 'authorization_pending')
    t.equal(answer.headers.get('connection'), 'close')
    t.equal(await stopped, 0)
    t.ok(performance.now() - startedAt < HALF_A_WAIT_MS, 'it did not wait for them')
    await elsewhere.decide(user_code, 'alice')
    t.equal(stateOf(await poll(there.url, 'oauth', grant_code).answer), 'approved')
  })
})

t.test('limits of one instance', async (t) => {
  const whole = t
  const start = (most: string) => startService(whole, { HELD_POLLS: most, LIMITS: 'off', LOG_LEVEL: 'warn' })

  await t.test('beyond its number of waits a poll is answered at once', async (t) => {
    const service = await start('2')
    const api = apiClient(service.url)
    const grants = await Promise.all([1, 2, 3].map(() => api.start()))
    const held = grants.slice(0, 2).map(({ grant_code }) => poll(service.url, 'oauth', grant_code))
    await untilHeld(service, 2)
    const third = await poll(service.url, 'oauth', grants[2]?.grant_code ?? '').answer
    t.equal(stateOf(third), 'authorization_pending')
    t.ok(third.ms < HALF_A_WAIT_MS)
    t.equal(applied(third), null)
    for (const { user_code } of grants) await api.decide(user_code, 'alice')
    t.strictSame((await Promise.all(held.map(({ answer }) => answer))).map(stateOf), ['approved', 'approved'])
  })

  await t.test('0 turns waiting off', async (t) => {
    const service = await start('0')
    const { grant_code } = await apiClient(service.url).start()
    const answer = await poll(service.url, 'dashboard', grant_code).answer
    t.equal(stateOf(answer), 'authorization_pending')
    t.ok(answer.ms < HALF_A_WAIT_MS)
    t.equal(applied(answer), null)
  })
})

t.test('one grant is waited for twice at most, whatever its pace allows', async (t) => {
  const { url, clock, start, app } = await listening(t)
  const { grant_code } = await start()
  const held: Held[] = []
  for (let i = 1; i <= 2; i++) {
    held.push(poll(url, 'dashboard', grant_code))
    await until(async () => app.core.heldPolls.count() === i)
    clock.advance(5_000)
  }
  const third = await poll(url, 'dashboard', grant_code).answer
  t.equal(stateOf(third), 'authorization_pending')
  t.equal(applied(third), null)
  t.ok(third.ms < HALF_A_WAIT_MS)
  app.core.heldPolls.stop()
  t.strictSame((await Promise.all(held.map(({ answer }) => answer))).map(stateOf), [
    'authorization_pending',
    'authorization_pending'
  ])
})

t.test('a grant that expires while it is waited for is told to be expired', async (t) => {
  const { url, clock, start, app } = await listening(t)
  const { grant_code } = await start()
  clock.advance(899_000)
  const held = poll(url, 'oauth', grant_code, 'wait=1')
  await until(async () => app.core.heldPolls.count() === 1)
  clock.advance(1_000)
  t.equal(stateOf(await held.answer), 'expired_token')
})

t.test('a request that was never read to its end waits for nothing', async (t) => {
  const { url, app } = await listening(t)
  const request = httpRequest(`${url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 200, prefer: 'wait=20' }
  })
  request.on('error', () => {})
  request.write('{"grant_type":')
  await sleep(100)
  request.destroy()
  t.equal(app.core.heldPolls.count(), 0)
})

/**
 * Starts the application in this process, in memory and with a port, for tests that need both HTTP and a clock to turn.
 */
async function listening(t: Test) {
  const service = await startApp(t, { LIMITS: 'off', SIGNING_ALG: 'EdDSA' })
  const url = await service.app.listen({ host: '127.0.0.1', port: await freePort() })
  return { ...service, url }
}
