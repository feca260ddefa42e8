/**
 * Checks held polls (Prefer: wait): a decision ends them at once on any instance, and no other end of a wait loses
 * anything; and by plain functions which polls may wait, what ends a wait, and how a client asks for one.
 */

import { getEventListeners } from 'node:events'
import { request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import type { DecisionFeed, DecisionListener } from '../../src/core/grants/grant-store.js'
import { createHeldPolls, type HeldPolls, LONGEST_WAIT_SECONDS } from '../../src/core/grants/held-polls.js'
import { readWaitSeconds } from '../../src/routes/grants.js'
import { anyCharacter } from '../support/any-character.js'
import { PATIENT, startApp } from '../support/app.js'
import { apiClient, type HttpAnswer } from '../support/client.js'
import { effortOf } from '../support/effort.js'
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

interface Grant {
  grant_code: string
  user_code: string
}

interface Held {
  answer: Promise<HttpAnswer>
  /** Aborts the connection without waiting for the answer. */
  abort(): void
}

/** Polls with a preference at the endpoint of a surface. */
function poll(
  url: string,
  surface: 'dashboard' | 'oauth',
  code: string,
  { prefer = `wait=${WAIT_SECONDS}`, ...more }: Record<string, string> = {},
  client_id = 'cli'
): Held {
  const aborting = new AbortController()
  const [path, body] =
    surface === 'dashboard'
      ? ['/api/v0/auth/grant/token', { grant_code: code }]
      : ['/oauth/token', { grant_type: DEVICE_CODE_GRANT, client_id, device_code: code }]
  const startedAt = performance.now()
  const ask = async (): Promise<HttpAnswer> => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', prefer, ...more },
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

/**
 * The commands that Redis is sent for a time, but for those that keep connections alive, and those of timers: the sweep of the
 * revocation feed, and the beat of the marker, which reads the signing keys and the newest event.
 */
async function commandsOf({ client }: RedisServer, ms: number): Promise<string[]> {
  const monitor = await client.monitor()
  const commands: string[] = []
  let isOver = false
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const name = args[0]?.toLowerCase() ?? ''
    if (name === 'echo') isOver = true
    const isTimer = name === 'xrevrange' || args.some((one) => /:(revocation:|marker:|signing-keys)/.test(one))
    // What a script runs is told after the script itself.
    if (!isOver && source !== 'lua' && !isTimer && !['ping', 'info'].includes(name)) commands.push(args.join(' '))
  })
  await sleep(ms)
  // What was sent before this has been seen when this is.
  await client.echo('over')
  await until(async () => isOver)
  monitor.disconnect()
  return commands
}

t.test('two instances over one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  // The interval counts from where a poll begins, and what comes too early here does so on any machine.
  const variables = {
    ...{ ...PATIENT, REDIS_URL: redis.url, LOG_LEVEL: 'warn', LIMITS: 'off', SIGNING_ALG: 'EdDSA' },
    POLL_INTERVAL_SECONDS: '40'
  }
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
      const longer = poll(here.url, 'oauth', (await api.start()).grant_code, { prefer: 'wait=30' })
      let isLongerOver = false
      longer.answer.then(
        () => {
          isLongerOver = true
        },
        () => {}
      )
      await untilHeld(here, 1)
      const answer = await poll(here.url, surface, grant_code, { prefer: 'wait=1' }).answer
      t.equal(stateOf(answer), 'authorization_pending')
      t.ok(answer.ms >= 1_000, `not before: ${Math.round(answer.ms)} ms`)
      t.notOk(isLongerOver, 'and before one that began earlier and is longer')
      longer.abort()
      await untilHeld(here, 0)
      t.equal(applied(answer), 'wait=1')
      const early = await poll(there.url, surface, grant_code, { prefer: 'wait=20' }).answer
      t.equal(stateOf(early), 'slow_down', 'the next one came too early')
      t.equal(early.body.interval, 45)
      t.ok(early.ms < HALF_A_WAIT_MS, 'and was told so at once')
      t.equal(applied(early), null)
    }
  })

  await t.test('a poll that is refused ends nobody’s wait', (t) =>
    refusedBeside(t, [here.url, there.url], elsewhere, () => untilHeld(here, 1))
  )

  await t.test('of many polls at once, on both instances, those that are held get the tokens', async (t) => {
    const { grant_code, user_code } = await elsewhere.start()
    const answers: HttpAnswer[] = []
    const all = Array.from({ length: 20 }, async (_, i) => {
      const answer = await poll((i % 2 ? here : there).url, 'oauth', grant_code).answer
      answers.push(answer)
      return answer
    })
    // Two may be accepted, for the second counts as the first sent again.
    await until(async () => answers.length >= 18)
    t.strictSame(
      answers.filter((answer) => applied(answer) !== null || stateOf(answer) === 'approved'),
      [],
      'who is not held is told so'
    )
    await elsewhere.decide(user_code, 'alice')
    const approved = (await Promise.all(all)).filter((answer) => stateOf(answer) === 'approved')
    t.ok(approved.length >= 1, `${approved.length} of them`)
    for (const answer of approved) t.equal(applied(answer), 'wait=20')
    for (const service of [here, there]) t.equal(await heldBy(service), 0)
  })

  await t.test('more than 30 seconds are not waited', async (t) => {
    const { grant_code, user_code } = await api.start()
    const held = poll(here.url, 'oauth', grant_code, { prefer: 'respond-async, wait=3600; x="a, wait=1"' })
    await untilHeld(here, 1)
    await api.decide(user_code, 'alice')
    t.equal(applied(await held.answer), 'wait=30')
  })

  await t.test('who does not ask, or asks for nothing that can be understood, is answered at once', async (t) => {
    for (const prefer of ['', 'wait', 'wait=0', 'wait=-1', 'wait=x', 'return=minimal', 'awaiting=20', '"wait=20"']) {
      const { grant_code } = await api.start()
      const answer = await poll(here.url, 'dashboard', grant_code, { prefer }).answer
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
    const held = grants.map(({ grant_code }) => poll(here.url, 'oauth', grant_code, { prefer: 'wait=30' }))
    await untilHeld(here, 200)
    // A poll has its place before Redis is asked. What this asks of Redis comes after all of them.
    await heldBy(here)
    t.strictSame(await commandsOf(redis, 1_000), [], 'commands in a second')
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
    const held = poll(here.url, 'dashboard', grant_code, { prefer: 'wait=30' })
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
  const start = (most: string) =>
    startService(whole, { HELD_POLLS: most, LIMITS: 'off', LOG_LEVEL: 'warn', SIGNING_ALG: 'EdDSA' })
  const [two, none] = await Promise.all([start('2'), start('0')])

  await t.test('beyond its number of waits a poll is answered at once', async (t) => {
    const api = apiClient(two.url)
    const grants = await Promise.all([1, 2, 3].map(() => api.start()))
    const held = grants.slice(0, 2).map(({ grant_code }) => poll(two.url, 'oauth', grant_code))
    await untilHeld(two, 2)
    const third = await poll(two.url, 'oauth', grants[2]?.grant_code ?? '').answer
    t.equal(stateOf(third), 'authorization_pending')
    t.ok(third.ms < HALF_A_WAIT_MS)
    t.equal(applied(third), null)
    for (const { user_code } of grants) await api.decide(user_code, 'alice')
    t.strictSame((await Promise.all(held.map(({ answer }) => answer))).map(stateOf), ['approved', 'approved'])
  })

  await t.test('0 turns waiting off', async (t) => {
    const { grant_code } = await apiClient(none.url).start()
    const answer = await poll(none.url, 'dashboard', grant_code).answer
    t.equal(stateOf(answer), 'authorization_pending')
    t.ok(answer.ms < HALF_A_WAIT_MS)
    t.equal(applied(answer), null)
  })
})

/** One poll is held at the first of two places; others come there and to the other one, where they are refused, and the decision. */
async function refusedBeside(
  t: Test,
  [url, other]: [string, string],
  { start, decide }: { start(): Promise<Grant>; decide(userCode: string, user: string): Promise<unknown> },
  untilOneIsHeld: () => Promise<unknown>
) {
  for (const surface of ['dashboard', 'oauth'] as const) {
    const { grant_code, user_code } = await start()
    let isOver = false
    const held = poll(url, surface, grant_code).answer.finally(() => {
      isOver = true
    })
    await untilOneIsHeld()
    // What comes first may count as the held one sent again, and all others come too early.
    await poll(url, surface, grant_code, { prefer: '' }).answer
    const refused = [
      [await poll(url, surface, grant_code).answer, 'slow_down'],
      [await poll(other, surface, grant_code).answer, 'slow_down'],
      [await poll(url, 'oauth', grant_code, {}, 'mcp').answer, 'invalid_grant']
    ] as const
    for (const [answer, state] of refused) {
      t.equal(stateOf(answer), state)
      if (state === 'slow_down') t.equal(applied(answer), null)
    }
    t.notOk(isOver, 'it is held on')
    await decide(user_code, 'alice')
    t.equal(stateOf(await held), 'approved')
    t.equal(applied(await held), 'wait=20')
  }
}

t.test('a poll that is refused ends nobody’s wait, in memory', async (t) => {
  const { url, app, ...api } = await listening(t)
  await refusedBeside(t, [url, url], api, () => until(async () => app.core.heldPolls.count() === 1))
  t.equal(app.core.heldPolls.count(), 0)
})

t.test('one grant is waited for once, by whoever came last, whether or not the one before has left', async (t) => {
  const { url, clock, start, decide, app } = await listening(t)
  const { grant_code, user_code } = await start()
  let last = poll(url, 'dashboard', grant_code)
  for (let i = 1; i <= 5; i++) {
    await until(async () => app.core.heldPolls.count() === 1)
    clock.advance(5_000)
    const before = last
    last = poll(url, 'dashboard', grant_code)
    const answer = await before.answer
    t.equal(stateOf(answer), 'authorization_pending')
    t.equal(applied(answer), null, 'it is not said to have been held for so long')
    t.ok(answer.ms < HALF_A_WAIT_MS)
  }
  await until(async () => app.core.heldPolls.count() === 1)
  await decide(user_code, 'ann')
  t.equal(stateOf(await last.answer), 'approved')
})

t.test('one address does not take all places of an instance, and trusted callers are not counted', async (t) => {
  const behind = {
    TRUST_PROXY: '127.0.0.1',
    TRUSTED_CALLERS: '192.0.2.7',
    SIGNING_ALG: 'EdDSA',
    HELD_POLLS: '1500',
    LIMITS: 'on'
  }
  const { app, call } = await startApp(t, behind)
  const url = await app.listen({ host: '127.0.0.1', port: await freePort() })
  const [mostOfOne, others] = [150, 5]
  const from = (address: string) => ({ 'x-forwarded-for': address })
  // A start is limited by address as well, and what is limited here is waiting alone.
  const start = () => call('POST', '/auth/grant/code', { body: { client_type: 'cli' }, headers: from('192.0.2.7') })
  const grants = await Promise.all(Array.from({ length: mostOfOne + 1 + others }, start))
  const wait = (i: number, address: string) => poll(url, 'oauth', grants[i]?.body.grant_code ?? '', from(address))
  const held = Array.from({ length: mostOfOne }, (_, i) => wait(i, '198.51.100.1'))
  await until(async () => app.core.heldPolls.count() === mostOfOne)
  const beyond = await wait(mostOfOne, '198.51.100.1').answer
  t.equal(stateOf(beyond), 'authorization_pending')
  t.equal(applied(beyond), null, 'it is answered at once')
  for (let i = 1; i <= others; i++) held.push(wait(mostOfOne + i, i === 1 ? '192.0.2.7' : `198.51.100.${1 + i}`))
  await until(async () => app.core.heldPolls.count() === mostOfOne + others)
  app.core.heldPolls.stop()
  t.equal(
    (await Promise.all(held.map(({ answer }) => answer))).filter((answer) => applied(answer) !== null).length,
    held.length
  )
})

t.test('a grant that expires while it is waited for is told to be expired', async (t) => {
  const { url, clock, start, app } = await listening(t)
  const { grant_code } = await start()
  clock.advance(899_000)
  const held = poll(url, 'oauth', grant_code, { prefer: 'wait=1' })
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

/** No wait in these tests lasts this long, so a wait that ends has ended for its own reason. */
const LONG_MS = 60_000

type Place = NonNullable<ReturnType<HeldPolls['enter']>>

/** Makes held polls over a decision feed that the test controls. */
function setUp(t: Pick<Test, 'teardown'>, most = 100) {
  const listeners: DecisionListener[] = []
  let isUp = true
  const feed: DecisionFeed = { isUp: () => isUp, listen: (listener) => void listeners.push(listener) }
  const polls = createHeldPolls(feed, most)
  t.teardown(polls.stop)
  return {
    polls,
    decide: (grant: string) => {
      for (const { decided } of listeners) decided(grant)
    },
    revoke: () => {
      for (const { revoked } of listeners) revoked()
    },
    resume: () => {
      for (const { resumed } of listeners) resumed()
    },
    switchFeed: (value: boolean) => {
      isUp = value
    },
    /** Enters a wait for a grant, with the controller by which its caller can leave. */
    enter: (grant: string, gone = new AbortController(), from?: string) => ({
      place: polls.enter(grant, { gone: gone.signal, from }),
      gone
    }),
    read: (gone = new AbortController()) => ({ place: polls.enterAsReader({ gone: gone.signal }), gone })
  }
}

function there<T>(place: T | undefined): T {
  if (!place) throw new Error('there was no place')
  return place
}

/** Returns the outcome of a wait that has ended; otherwise 'waits'. */
async function stateOfWait(wait: Promise<string>): Promise<string> {
  return Promise.race([wait, new Promise<string>((resolve) => setImmediate(() => resolve('waits')))])
}

t.test('places', async (t) => {
  t.test('there are as many as were given, over all grants, and one that is left is free again', async (t) => {
    const { polls, enter } = setUp(t, 3)
    t.equal(polls.count(), 0)
    const places = ['a', 'b', 'c'].map((grant) => enter(grant).place)
    t.notOk(places.includes(undefined))
    t.equal(polls.count(), 3)
    t.equal(enter('d').place, undefined)
    t.equal(polls.count(), 3, 'who did not get in does not count')
    there(places[1]).leave()
    t.equal(polls.count(), 2)
    t.ok(enter('d').place)
    t.equal(enter('e').place, undefined)
  })

  t.test('there is one for each grant, which who comes last takes over', async (t) => {
    const { polls, enter, decide } = setUp(t)
    const [one, other] = [there(enter('a').place), there(enter('b').place)]
    const [wait, otherWait] = [one.wait(LONG_MS), other.wait(LONG_MS)]
    one.takeOver()
    other.takeOver()
    const two = there(enter('a').place)
    t.equal(await stateOfWait(wait), 'waits', 'not by coming alone, which anybody may')
    two.takeOver()
    t.equal(await wait, 'replaced')
    one.leave()
    t.equal(polls.count(), 2)
    t.equal(await stateOfWait(otherWait), 'waits', 'which is no matter of another grant')
    const last = two.wait(LONG_MS)
    two.takeOver()
    t.equal(await stateOfWait(last), 'waits', 'nobody takes over from themselves')
    decide('a')
    t.equal(await last, 'decided')
  })

  t.test('who has not taken over is bounded as all are, hears of all, and is ended by nobody', async (t) => {
    const { polls, enter, decide } = setUp(t, 3)
    const [held, judged, refused] = [1, 2, 3].map(() => there(enter('a').place)) as [Place, Place, Place]
    t.equal(enter('a').place, undefined, 'a place each, though it be of one grant')
    held.takeOver()
    const wait = judged.wait(LONG_MS)
    refused.leave()
    there(enter('a').place).takeOver()
    t.equal(await held.wait(LONG_MS), 'replaced')
    t.equal(await stateOfWait(wait), 'waits')
    decide('a')
    t.equal(await wait, 'decided')
    t.equal(polls.count(), 3)
  })

  t.test('nobody takes over once they have gone, and who has left is not ended any more', async (t) => {
    const { enter } = setUp(t)
    const { place: one } = enter('a')
    there(one).takeOver()
    const wait = there(one).wait(LONG_MS)
    const { place: two, gone } = enter('a')
    gone.abort()
    there(two).takeOver()
    t.equal(await stateOfWait(wait), 'waits')
    there(two).leave()
    const three = there(enter('a').place)
    three.takeOver()
    t.equal(await wait, 'replaced')
    there(one).leave()
    const last = three.wait(LONG_MS)
    there(enter('a').place).takeOver()
    t.equal(await last, 'replaced', 'who left before was not the one that is held')
  })

  t.test('readers of the revocation feed do not replace each other, and are 500 at most', async (t) => {
    const { polls, read, enter } = setUp(t, 1_000)
    const waits = Array.from({ length: 500 }, () => there(read().place).wait(LONG_MS))
    t.strictSame(await stateOfWait(Promise.race(waits)), 'waits')
    t.equal(read().place, undefined)
    t.ok(enter('a').place, 'polls have other places')
    t.equal(polls.count(), 501)
  })

  t.test('one address has a tenth of them, or a hundred', async (t) => {
    for (const [most, ofOne] of [
      [5_000, 500],
      [300, 100],
      [50, 50]
    ] as const) {
      const { enter } = setUp(t, most)
      const from = (address: string | undefined, i: number) => enter(`${address} ${i}`, undefined, address).place
      const taken = Array.from({ length: ofOne }, (_, i) => from('one', i))
      t.notOk(taken.includes(undefined), `${most}`)
      t.equal(from('one', ofOne), undefined, `${most}: one more is refused`)
      if (most === ofOne) continue
      t.ok(from('two', 0), `${most}: another address`)
      t.ok(from(undefined, 0), `${most}: one that is not counted`)
      there(taken[0]).leave()
      t.ok(from('one', ofOne), `${most}: one that is left is free again`)
    }
  })

  t.test('to leave twice gives back one place', async (t) => {
    const { polls, enter } = setUp(t, 2)
    const { place } = enter('a')
    enter('b')
    there(place).leave()
    there(place).leave()
    t.equal(polls.count(), 1)
    t.ok(enter('c').place)
    t.equal(enter('d').place, undefined)
  })

  t.test('when the last one has left, who comes next is heard of all the same', async (t) => {
    const { enter, decide } = setUp(t)
    there(enter('a').place).leave()
    const wait = there(enter('a').place).wait(LONG_MS)
    decide('a')
    t.equal(await wait, 'decided')
  })

  t.test('there are none where there is room for none', async (t) => {
    const { polls, enter } = setUp(t, 0)
    t.equal(enter('a').place, undefined)
    t.equal(polls.count(), 0)
  })

  t.test('there are none while nothing would be heard', async (t) => {
    const { polls, enter, switchFeed } = setUp(t)
    switchFeed(false)
    t.equal(enter('a').place, undefined)
    t.equal(polls.count(), 0)
    switchFeed(true)
    t.ok(enter('a').place)
  })

  t.test('there are none for who has gone already', async (t) => {
    const { polls, enter } = setUp(t)
    const gone = new AbortController()
    gone.abort()
    t.equal(enter('a', gone).place, undefined)
    t.equal(polls.count(), 0)
  })

  t.test('there are none once the instance stops', async (t) => {
    const { polls, enter } = setUp(t)
    const { place } = enter('a')
    polls.stop()
    t.equal(enter('b').place, undefined)
    t.equal(polls.count(), 1, 'who is in leaves by itself')
    there(place).leave()
    t.equal(polls.count(), 0)
    t.equal(enter('b').place, undefined, 'not even then')
  })

  t.test('who leaves leaves nothing behind', async (t) => {
    const { polls, enter, decide } = setUp(t)
    for (let i = 0; i < 1_000; i++) {
      const { place, gone } = enter(`grant ${i % 10}`)
      const wait = there(place).wait(LONG_MS)
      decide(`grant ${i % 10}`)
      if ((await wait) !== 'decided') t.fail(`round ${i}: not told`)
      there(place).leave()
      if (getEventListeners(gone.signal, 'abort').length > 0) t.fail(`round ${i}: still listened to`)
    }
    t.equal(polls.count(), 0)
  })
})

t.test('a wait', async (t) => {
  t.test('ends with the decision of its grant, for everybody who waits for it, and for nobody else', async (t) => {
    const { enter, read, decide, revoke } = setUp(t)
    const [grant, other] = ['a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    const readers = [1, 2].map(() => there(read().place).wait(LONG_MS))
    const waits = [grant, other, ...readers] as Promise<string>[]
    decide('c')
    decide('ab')
    t.strictSame(await Promise.all(waits.map(stateOfWait)), ['waits', 'waits', 'waits', 'waits'])
    decide('a')
    t.strictSame(await Promise.all(waits.map(stateOfWait)), ['decided', 'waits', 'waits', 'waits'])
    revoke()
    t.strictSame(await Promise.all(waits.slice(1).map(stateOfWait)), ['waits', 'decided', 'decided'])
  })

  t.test('ends when its time is up', async (t) => {
    const { enter } = setUp(t)
    const startedAt = performance.now()
    t.equal(await there(enter('a').place).wait(50), 'over')
    t.ok(performance.now() - startedAt >= 45, 'and not before')
    t.equal(await there(enter('b').place).wait(0), 'over', 'at once if it has none')
  })

  t.test('ends when its caller has gone', async (t) => {
    const { enter, polls } = setUp(t)
    const [{ place, gone }, { place: other }] = [enter('a'), enter('b')]
    const [wait, otherWait] = [there(place).wait(LONG_MS), there(other).wait(LONG_MS)]
    gone.abort()
    t.equal(await wait, 'gone')
    t.equal(await stateOfWait(otherWait), 'waits', 'which is no matter of the neighbour')
    t.equal(polls.count(), 2, 'the place is given back by whoever took it')
  })

  t.test('ends when something may have been missed', async (t) => {
    const { enter, resume } = setUp(t)
    const waits = ['a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    resume()
    t.strictSame(await Promise.all(waits), ['missed', 'missed'])
  })

  t.test('ends when the instance stops', async (t) => {
    const { polls, enter } = setUp(t)
    const waits = ['a', 'b'].map((grant) => there(enter(grant).place).wait(LONG_MS))
    polls.stop()
    t.strictSame(await Promise.all(waits), ['stopping', 'stopping'])
  })

  t.test('does not end because the feed goes down: what comes is told when it is back', async (t) => {
    const { enter, switchFeed, resume } = setUp(t)
    const wait = there(enter('a').place).wait(LONG_MS)
    switchFeed(false)
    t.equal(await stateOfWait(wait), 'waits')
    switchFeed(true)
    resume()
    t.equal(await wait, 'missed')
  })

  t.test('can be taken up again in the same place', async (t) => {
    const { enter, resume, decide } = setUp(t)
    const place = there(enter('a').place)
    for (const _ of [1, 2]) {
      const wait = place.wait(LONG_MS)
      resume()
      t.equal(await wait, 'missed')
    }
    t.equal(await place.wait(1), 'over')
    const wait = place.wait(LONG_MS)
    t.equal(await stateOfWait(wait), 'waits', 'what it was told it is not told again')
    decide('a')
    t.equal(await wait, 'decided')
  })

  t.test('hears of nothing more once it has left', async (t) => {
    const { polls, enter, decide, resume } = setUp(t)
    const { place, gone } = enter('a')
    there(place).leave()
    decide('a')
    resume()
    gone.abort()
    polls.stop()
    t.equal(await there(place).wait(1), 'over')
  })
})

t.test('news from before the wait counts', async (t) => {
  const NEWS: Record<string, (parts: ReturnType<typeof setUp>, gone: AbortController) => void> = {
    decided: ({ decide }) => decide('a'),
    missed: ({ resume }) => resume(),
    gone: (_parts, gone) => gone.abort(),
    replaced: ({ enter }) => there(enter('a').place).takeOver(),
    stopping: ({ polls }) => polls.stop()
  }
  for (const [news, happen] of Object.entries(NEWS)) {
    t.test(`${news}: the wait is over before it begins`, async (t) => {
      const parts = setUp(t)
      const { place, gone } = parts.enter('a')
      there(place).takeOver()
      happen(parts, gone)
      t.equal(await there(place).wait(LONG_MS), news)
    })

    t.test(`${news}: it never hides a decision`, async (t) => {
      const [before, after] = [setUp(t), setUp(t)]
      const one = before.enter('a')
      there(one.place).takeOver()
      before.decide('a')
      happen(before, one.gone)
      t.equal(await there(one.place).wait(LONG_MS), 'decided', 'that came first')
      const two = after.enter('a')
      there(two.place).takeOver()
      happen(after, two.gone)
      after.decide('a')
      t.equal(await there(two.place).wait(LONG_MS), 'decided', 'that came after')
    })
  }

  t.test('it is told once', async (t) => {
    const { enter, resume } = setUp(t)
    const place = there(enter('a').place)
    resume()
    resume()
    t.equal(await place.wait(LONG_MS), 'missed')
    t.equal(await place.wait(1), 'over')
  })

  t.test('what was decided before it came in is not news', async (t) => {
    const { enter, decide } = setUp(t)
    decide('a')
    t.equal(await there(enter('a').place).wait(1), 'over')
  })
})

t.test('any order of coming, hearing and going keeps the count', async (t) => {
  const step = fc.record({
    what: fc.constantFrom('enter', 'enter', 'enter', 'takeOver', 'leave', 'leave', 'decide', 'resume', 'gone'),
    which: fc.nat(20),
    grant: fc.constantFrom('a', 'b', 'c', 'd')
  })
  fc.assert(
    fc.property(fc.nat(6), fc.array(step, { maxLength: 60 }), (most, steps) => {
      const parts = setUp(t, most)
      const held: { grant: string; place: Place; gone: AbortController }[] = []
      for (const { what, which, grant } of steps) {
        const one = held[which % Math.max(1, held.length)]
        if (what === 'enter') {
          const { place, gone } = parts.enter(grant)
          // Who is replaced leaves later, by itself.
          if (held.length < most !== (place !== undefined)) return false
          if (place) held.push({ grant, place, gone })
        }
        if (what === 'leave' && one) {
          one.place.leave()
          held.splice(held.indexOf(one), 1)
        }
        if (what === 'takeOver') one?.place.takeOver()
        if (what === 'gone') one?.gone.abort()
        if (what === 'decide') parts.decide(grant)
        if (what === 'resume') parts.resume()
        if (parts.polls.count() !== held.length) return false
      }
      return true
    }),
    { numRuns: 1_000 }
  )
  t.pass('1,000 histories')
})

t.test('Prefer: wait', async (t) => {
  t.equal(LONGEST_WAIT_SECONDS, 30)

  t.test('is read as RFC 7240 writes it', async (t) => {
    const rows: [header: string, seconds: number | undefined][] = [
      ['wait=10', 10],
      ['wait=0', 0],
      ['wait=007', 7],
      ['wait=999999999', 999_999_999],
      ['WAIT=10', 10],
      ['Wait = 10', 10],
      [' \twait\t=\t10 ', 10],
      ['wait="10"', 10],
      ['wait=10; strict', 10],
      ['wait=10;foo="a, b"', 10],
      ['respond-async, wait=10', 10],
      ['respond-async,wait=10', 10],
      ['respond-async; x="y, wait=5", wait=10', 10],
      ['a="\\", wait=5", wait=10', 10],
      ['return=minimal, , wait=10,', 10],
      ['wait=10, wait=20', 10],
      ['wait=10, handling=lenient, WAIT=20', 10],
      ['wait=x, wait=10', undefined],
      ['wait, wait=10', undefined],
      ['await=10', undefined],
      ['wait-=10', undefined],
      ['x-wait=10', undefined],
      ['foo=wait=10', undefined],
      ['foo; wait=10', undefined],
      ['foo="wait=10"', undefined],
      ['foo=", wait=10"', undefined],
      ['wait=', undefined],
      ['wait=""', undefined],
      ['wait=-1', undefined],
      ['wait=+1', undefined],
      ['wait=1.5', undefined],
      ['wait=1e1', undefined],
      ['wait=0x1', undefined],
      ['wait=10s', undefined],
      ['wait=1 0', undefined],
      ['wait=１', undefined],
      ['wait="10', undefined],
      ["wait='10'", undefined],
      ['wait=1000000000', undefined],
      ['wait:10', undefined],
      ['wait 10', undefined],
      ['', undefined],
      [',', undefined],
      ['"', undefined],
      ['=', undefined]
    ]
    for (const [header, seconds] of rows) t.equal(readWaitSeconds(header), seconds, JSON.stringify(header))
  })

  t.test('is not looked for in what nobody would write', async (t) => {
    for (const rest of [', a', ' ', ',', '; a']) {
      const header = `wait=10${rest.repeat(256)}`
      t.equal(readWaitSeconds(header.slice(0, 256)), 10)
      t.equal(readWaitSeconds(header.slice(0, 257)), undefined)
    }
  })

  t.test('of any header is a whole number of seconds or nothing', async (t) => {
    const piece = fc.constantFrom('wait', 'WAIT', '=', '"', '\\', ',', ';', ' ', '\t', '1', '30', 'x', '\u0000', 'é')
    const pieces = fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(pieces, fc.string(), fc.string({ unit: anyCharacter })), (header) => {
        const seconds = readWaitSeconds(header)
        return seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= 999_999_999)
      }),
      { numRuns: 20_000 }
    )
    t.pass('20,000 headers')
  })

  t.test('of several the first one counts, whatever else is preferred and however it is written', async (t) => {
    const space = fc.constantFrom('', ' ', '\t', '  ')
    const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}$/).filter((name) => name.toLowerCase() !== 'wait')
    const quoted = fc
      .string({ unit: fc.constantFrom(...' abc=;,wait0123!()[]é'.split(''), '\\"', '\\\\', '\\,'), maxLength: 12 })
      .map((text) => `"${text}"`)
    const value = fc.oneof(token, quoted)
    const parameter = fc.record({ gaps: fc.tuple(space, space), name: token, value: fc.option(value) })
    const parameters = fc.array(
      parameter.map(({ gaps, name, value }) => `${gaps[0]};${gaps[1]}${name}${value === null ? '' : `=${value}`}`),
      { maxLength: 2 }
    )
    const other = fc
      .tuple(token, fc.option(value), parameters)
      .map(([name, value, rest]) => `${name}${value === null ? '' : `=${value}`}${rest.join('')}`)
    const seconds = fc.nat(999_999_999)
    const wait = fc
      .record({
        seconds,
        name: fc.constantFrom('wait', 'Wait', 'WAIT', 'waIT'),
        gaps: fc.tuple(space, space),
        isQuoted: fc.boolean(),
        parameters
      })
      .map(({ seconds, name, gaps, isQuoted, parameters }) => ({
        seconds,
        text: `${name}${gaps[0]}=${gaps[1]}${isQuoted ? `"${seconds}"` : seconds}${parameters.join('')}`
      }))
    const comma = fc.tuple(space, space).map(([before, after]) => `${before},${after}`)
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 3 }),
        fc.array(wait, { maxLength: 3 }),
        fc.array(other),
        comma,
        (...all) => {
          const [before, waits, after, separator] = all
          const [first, ...more] = waits
          const list = [
            ...before,
            ...(first ? [first.text] : []),
            ...after.slice(0, 3),
            ...more.map(({ text }) => text)
          ]
          const header = list.join(separator)
          return readWaitSeconds(header) === (header.length > 256 ? undefined : first?.seconds)
        }
      ),
      { numRuns: 5_000 }
    )
    t.pass('5,000 headers')
  })

  t.test('takes no longer for a header that is made to take long', async (t) => {
    // Node.js accepts no longer header.
    const LONGEST = 16 * 1024
    const headers: string[] = []
    for (const unit of [
      '"\\',
      '\\"',
      '"',
      '"a',
      ',',
      ' ',
      'wait',
      '\\',
      '";',
      '",',
      '=',
      'wait=1"',
      ' \t',
      'wait = '
    ]) {
      for (const start of ['', '"', 'wait=', 'a="']) {
        const header = (start + unit.repeat(LONGEST)).slice(0, LONGEST)
        headers.push(header)
      }
    }
    const effort = await effortOf(() => headers.map((header) => readWaitSeconds(header)))
    t.ok(effort < 2, `${headers.length} headers: ${effort.toFixed(2)}`)
  })
})
