import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { codeTagOf, tagOf } from '../../src/core/clients/client.js'
import type { StoredPoll } from '../../src/core/grants/grant-store.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import type { RedisConnection } from '../../src/storage/redis/connection.js'
import { createRedisGrantStore } from '../../src/storage/redis/grant-store.js'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { createKeys } from '../../src/storage/redis/keys.js'
import { createRedisParentIndex } from '../../src/storage/redis/parent-index.js'
import { createDeparture, createPollBatches, nextRunId } from '../../src/storage/redis/poll-batches.js'
import type { ScriptName } from '../../src/storage/redis/scripts.js'
import { createWatch } from '../../src/storage/redis/watch.js'
import { listenTo, pendingGrant } from '../contract/decision-feed.js'
import {
  CLIENT_TAG,
  decisionOf,
  INTERVAL_MS,
  LIFE_MS,
  newDigest,
  newTag,
  requestOf,
  tally,
  times
} from '../contract/engine.js'
import { grantModel } from '../contract/grant-history.js'
import { openStorage, startRedisEngine } from '../contract/redis-engine.js'
import { refreshFamilyModel } from '../contract/refresh-family-model.js'
import { signingKeyOf } from '../contract/signing-key-store.js'
import { storageContract } from '../contract/storage.js'
import { GRANTD_SECRET, IMPATIENT, PATIENT, startApp, testClock } from '../support/app.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { startStopwatch } from '../support/held-up.js'
import { freePort } from '../support/ports.js'
import { at, connectTo, PATIENT_MS, redisConfig } from '../support/redis-config.js'
import { startRedis } from '../support/redis-server.js'
import { inRoot } from '../support/root.js'
import { sessionOf } from '../support/tokens.js'

const server = await startRedis()
t.teardown(() => server.stop())
const start = (t: Test) => startRedisEngine(t, server)
/** On a server of its own: whenever time passes all keys of a server are gone through, and histories let it pass by the thousand. */
const startAlone = async (t: Test) => {
  const own = await startRedis()
  t.teardown(() => own.stop())
  return startRedisEngine(t, own)
}

t.test('what every engine keeps to, in Redis', async (t) => storageContract(t, start))
t.test('grants in Redis follow the rules, whatever happens in which order', (t) =>
  grantModel(t, startAlone, { runs: 1_000, freshEachRun: false })
)
t.test('refresh families in Redis follow the rules, whatever happens in which order', (t) =>
  refreshFamilyModel(t, startAlone, { runs: 600, freshEachRun: false })
)

/** Opens a connection that runs scripts as the stores do. */
async function scripts(t: Test): Promise<RedisConnection> {
  const connection = await connectTo(server.url)
  t.teardown(() => connection.close())
  return connection
}

/** The last moment at which a run may be judged that is not to be late. */
const NEVER_LATE = Number.MAX_SAFE_INTEGER

/** Polls one grant by the script alone, in a run of this id. Returns the verdict, with its value if it has one. */
async function pollBy(run: RedisConnection['run'], key: string, runId: string, ...now: number[]): Promise<unknown> {
  const verdicts = await run('grant-poll', key, runId, NEVER_LATE, 1, `p${CLIENT_TAG}`, ...now)
  if (verdicts === null) return 'pending'
  const [[, ...verdict]] = verdicts as [[number, ...unknown[]]]
  return verdict.length === 1 ? verdict[0] : verdict
}

/** How many runs of scripts the server has counted so far. */
async function runs(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.client.info('commandstats'))?.[1] ?? 0)
}

const newGrant = () => ({ request: requestOf(), clientTag: CLIENT_TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS })

t.test('commands of one turn leave in one piece, and each gets its own answer', async (t) => {
  const proxy = await startFaultProxy(server.port, () => 1)
  t.teardown(() => proxy.close())
  const connection = await connectTo(proxy.url)
  t.teardown(() => connection.close())
  for (let round = 0; round < 3; round++) {
    const before = proxy.pieces()
    const answers = await Promise.all(times(50, (i) => connection.call('echo', (redis) => redis.echo(`${round} ${i}`))))
    t.strictSame(
      answers,
      times(50, (i) => `${round} ${i}`)
    )
    t.equal(proxy.pieces() - before, 1, '50 commands')
  }
})

t.test('whose a record is, is noted with the next ones if Redis could not take it', async (t) => {
  const full = await startRedis()
  t.teardown(() => full.stop())
  const connection = await connectTo(full.url)
  t.teardown(() => connection.close())
  const keys = createKeys('parents:')
  const parents = createRedisParentIndex('record', { connection, keys, clock: Date.now })
  const noteOf = (id: string, lifeMs = 60_000) => ({ id, parent: `parent of ${id}`, keepUntilMs: Date.now() + lifeMs })
  const ids = times(30, (i) => `${i}`)
  await full.client.config('SET', 'maxmemory', '1')
  await parents.note(ids.map((id) => noteOf(id)))
  await parents.note([noteOf('another')])
  t.ok(
    (await parents.of([...ids, 'another'])).every((parent) => parent === undefined),
    'nothing can be written'
  )
  await full.client.config('SET', 'maxmemory', '0')
  await parents.note([noteOf('first'), noteOf('15', 3_600_000)])
  await parents.note([noteOf('second')])
  const expected = [...ids, 'another', 'first', 'second']
  await until(async () => !(await parents.of(expected)).includes(undefined))
  t.strictSame(
    await parents.of(expected),
    expected.map((id) => `parent of ${id}`)
  )
  t.ok((await full.client.pttl(keys.recordParent('record', '15'))) > 60_000, 'a longer life that came first stays')
})

t.test('polls that Redis comes to when nobody waits for them any more', async (t) => {
  const keys = createKeys('late:')
  const patient = await scripts(t)
  /** Judges one poll after the other, by an instance with this clock. */
  const pollsOver = (connection: Pick<RedisConnection, 'runOver' | 'withinMs'>, clock: () => number) => {
    const readVerdict = (kind: string) => ({ kind }) as StoredPoll
    const judge = createPollBatches({ connection, keys, cluster: undefined, readVerdict, clock, now: () => [] })
    return async (grantDigest: string) => (await judge(grantDigest, CLIENT_TAG, false)).kind
  }
  const digest = newDigest()
  const key = keys.grant(digest)
  const store = createRedisGrantStore(patient, keys)
  await store.create(digest, newTag(), newGrant())
  // The server knows the script, so that what is sent now is judged, and not sent once more.
  await store.poll(newDigest(), CLIENT_TAG)

  await t.test('are not judged: whoever was told 503 and comes again would be too early', async (t) => {
    const connection = await connectTo(server.url, undefined, 400)
    t.teardown(() => connection.close())
    const grants = createRedisGrantStore(connection, keys)
    const before = await server.client.get(key)
    let after: Promise<string | null> | undefined
    process.kill(server.pid(), 'SIGSTOP')
    try {
      const refused = t.rejects(grants.poll(digest, CLIENT_TAG), { code: 'unavailable' })
      await turn()
      // Redis answers the commands of a connection in their order. Later this one may have been closed because of the silence.
      void connection.call('get', (redis) => (after = redis.get(key))).catch(() => {})
      await refused
      // When another one is refused as well, the time of the first is over by the clock of Redis too.
      await t.rejects(grants.poll(newDigest(), CLIENT_TAG), { code: 'unavailable' })
    } finally {
      process.kill(server.pid(), 'SIGCONT')
    }
    t.equal(await after, before)
  })

  t.test('are known by its clock: one that is ahead says so, and is asked again', async (t) => {
    let nowMs = Date.now() - 3_600_000
    const poll = pollsOver(patient, () => nowMs)
    const runsOfPoll = async () => {
      const before = await runs()
      t.equal(await poll(newDigest()), 'unknown')
      return (await runs()) - before
    }
    t.equal(await runsOfPoll(), 2, 'the first time')
    t.equal(await runsOfPoll(), 1, 'and then it is known')
    nowMs += 30_000
    t.equal(await runsOfPoll(), 1, 'for a while')
    nowMs += 31_000
    t.equal(await runsOfPoll(), 2, 'and learned anew')
  })

  t.test('are no sign of a clock that is ahead where the way there took so long', async (t) => {
    let nowMs = 1_000
    const deadlines: unknown[] = []
    const runOver: RedisConnection['runOver'] = async (_name, _keys, [, deadline]) => {
      deadlines.push(deadline)
      if (deadlines.length > 1) return null
      nowMs += 1_200
      return [[0, 'late', nowMs]]
    }
    const poll = pollsOver({ withinMs: 1_000, runOver }, () => nowMs)
    t.equal(await poll(digest), 'pending')
    t.equal(await poll(digest), 'pending')
    t.strictSame(deadlines, [2_000, 3_200, 3_200])
  })

  t.test('a clock that runs away from every poll', async (t) => {
    let nowMs = 0
    const runOver = async () => {
      nowMs += 3_600_000
      return [[0, 'late', nowMs]]
    }
    const poll = pollsOver({ withinMs: 1_000, runOver }, () => nowMs)
    for (let round = 0; round < 3; round++) await t.rejects(poll(digest), { code: 'unavailable', detail: /its clock/ })
  })
})

t.test('polls of one turn', async (t) => {
  const proxy = await startFaultProxy(server.port, () => 0)
  t.teardown(() => proxy.close())
  const clock = testClock()
  const keys = createKeys('batches:')
  const connection = await connectTo(proxy.url)
  t.teardown(() => connection.close())
  const grants = createRedisGrantStore(connection, keys, { testClock: clock })
  const createAll = (count: number) =>
    Promise.all(
      times(count, async () => {
        const digest = newDigest()
        await grants.create(digest, newTag(), newGrant())
        return digest
      })
    )
  const pollAll = (digests: readonly string[]) =>
    Promise.all(
      digests.map((digest) =>
        grants.poll(digest, CLIENT_TAG).then(
          ({ kind }) => kind,
          (error) => error
        )
      )
    )
  t.test('are one run, or one for each hundred', async (t) => {
    for (const [count, expected] of [
      [1, 1],
      [60, 1],
      [100, 1],
      [101, 2],
      [250, 3]
    ] as const) {
      const digests = await createAll(count)
      const before = await runs()
      t.same(tally(await pollAll(digests)), { pending: count })
      t.equal((await runs()) - before, expected, `${count} polls`)
    }
  })

  t.test('are counted once, and each gets its answer again, when the answer of their run is lost', async (t) => {
    const digests = await createAll(30)
    await pollAll(digests.slice(0, 10))
    await pollAll(digests.slice(0, 10))
    const lost = proxy.lost()
    proxy.lose(1)
    const answers = pollAll(digests)
    await until(async () => proxy.lost() > lost)
    proxy.lose(0)
    t.same(await answers, [...times(10, () => 'slow_down'), ...times(20, () => 'pending')])
    const heads = await Promise.all(digests.map((digest) => server.client.get(keys.grant(digest))))
    t.same(
      heads.map((head) => head?.slice(22, 27)),
      [...times(10, () => '10000'), ...times(20, () => '05000')],
      'one refusal lengthened each interval once'
    )
  })

  t.test('a forgotten script is sent again with all of them', async (t) => {
    const digests = await createAll(20)
    await server.client.script('FLUSH')
    t.same(tally(await pollAll(digests)), { pending: 20 })
  })

  for (const [what, plant] of Object.entries({
    'of the wrong type': (key: string) => server.client.rpush(key, 'foreign'),
    'whose columns are no numbers': (key: string) => server.client.set(key, `p${CLIENT_TAG} ${'?'.repeat(80)}`)
  })) {
    t.test(`a key ${what} fails its own poll alone`, async (t) => {
      const digests = await createAll(9)
      const poisoned = keys.grant(digests[4] as string)
      await server.client.del(poisoned)
      await plant(poisoned)
      const before = await server.client.dumpBuffer(poisoned)
      const [alone] = (await pollAll([digests[4] as string])) as [Error]
      const answers = await pollAll(digests)
      t.type(alone, Error)
      t.equal((answers[4] as Error).message, alone.message, 'as if it had come alone')
      t.same(tally(answers.filter((_, i) => i !== 4) as string[]), { pending: 8 })
      t.same(await server.client.dumpBuffer(poisoned), before)
    })
  }

  t.test('wait in a bounded number', async (t) => {
    const answers = await pollAll(times(10_001, newDigest))
    t.match(answers.at(-1), { code: 'unavailable', detail: 'too much is asked of Redis already' })
    t.same(tally(answers.slice(0, -1) as string[]), { unknown: 10_000 })
    t.same(tally(await pollAll(times(3, newDigest))), { unknown: 3 }, 'and there is room again')
  })
})

t.test('when polls leave', async (t) => {
  let left = 0
  let nowMs = 0
  const departure = createDeparture(
    () => (left += 1),
    () => nowMs
  )
  /** So many polls come, this long after the last ones. Resolves to the number of runs that left at the end of the turn. */
  const come = async (count: number, afterMs: number, isUrgent = false) => {
    nowMs += afterMs
    for (let i = 0; i < count; i++) departure.add(isUrgent)
    await turn()
    const now = left
    left = 0
    return now
  }
  const waited = async () => {
    await until(() => left === 1)
    left = 0
  }

  for (const afterMs of [0, 1, 2, 500])
    t.equal(await come(1, 1_000 + afterMs), 1, 'one that comes alone leaves at once')
  for (let i = 0; i < 100; i++) t.equal(await come(2, 4), 1, 'at 500 a second too, in pairs as they are')
  for (let i = 0; i < 100; i++) t.equal(await come(1, 1), 1, 'and at 1,000')

  let atOnce = 0
  while ((await come(1, 0.5)) === 1) atOnce += 1
  t.ok(atOnce >= 3 && atOnce <= 20, `at 2,000 a second others are waited for, after ${atOnce} that left at once`)
  await waited()
  t.equal(await come(5, 2.5), 0, 'as long as they come')
  t.equal(await come(1, 0, true), 1, 'what is urgent takes along those that wait')
  t.equal(await come(1, 0.5), 0)
  t.equal(await come(15, 0), 1, 'enough wait for no others')
  t.equal(await come(16, 1), 1)
  t.equal(await come(2, 0, true), 1)

  t.equal(await come(1, 60_000), 0, 'the first one after a pause still waits')
  await waited()
  let waiting = 0
  while ((await come(1, 60_000)) === 0) {
    waiting += 1
    await waited()
  }
  t.ok(waiting <= 10, `but ${waiting} more at most`)
})

t.test('commands of a long turn do not wait for its end', async (t) => {
  const connection = await connectTo(server.url)
  t.teardown(() => connection.close())
  const pushed: Promise<number>[] = []
  // This turn of the event loop has many callbacks, as when many connections have data.
  for (let i = 0; i < 250; i++) {
    pushed.push(connection.call('push', (redis) => redis.rpush('long-turn', `${i}`)))
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }
  // This call blocks the process, so Redis can only have what was sent before the end of the turn.
  const soFar = Number(execFileSync('redis-cli', ['-p', `${server.port}`, 'llen', 'long-turn'], { encoding: 'utf8' }))
  t.ok(soFar >= 150 && soFar < 250, `${soFar} of 250`)
  t.equal(Math.max(...(await Promise.all(pushed))), 250, 'and the rest at the end')
  t.strictSame(
    await server.client.lrange('long-turn', 0, -1),
    times(250, (i) => `${i}`)
  )
})

t.test('what Redis forgets', async (t) => {
  t.test(
    'every key has an end, after every single operation; only the signing keys and the audit trail stay',
    async (t) => {
      const engine = await start(t)
      const { grants, refreshFamilies: families, authorizations: records, limits, signingKeys, events } = engine.storage
      const [one, two, tag] = [newDigest(), newDigest(), newTag()]
      const [first, second] = [newDigest(), newDigest()]
      const family = { userId: 'alice', currentDigest: first }
      const until = (ms: number) => engine.clock() + ms
      const operations: Record<string, () => Promise<unknown>> = {
        'a grant is created': () => grants.create(one, tag, newGrant()),
        'its code is wanted by another': () => grants.create(two, tag, newGrant()),
        'the other takes another code': () => grants.create(two, newTag(), newGrant()),
        'it is polled': () => grants.poll(one, CLIENT_TAG),
        'the poll is repeated': () => grants.poll(one, CLIENT_TAG),
        'it is polled too early': () => grants.poll(one, CLIENT_TAG),
        'it is polled at its time': () => grants.poll(two, CLIENT_TAG),
        'an unknown one is polled': () => grants.poll(newDigest(), CLIENT_TAG),
        'it is found': () => grants.find(tag),
        'it is collected too early': () => grants.collect(one),
        'it is approved': () => grants.decide(one, decisionOf()),
        'it is approved again': () => grants.decide(one, decisionOf()),
        'the other is denied': () => grants.decide(two, decisionOf({ action: 'deny' })),
        'an unknown one is decided': () => grants.decide(newDigest(), decisionOf()),
        'it is collected': () => grants.collect(one),
        'it is collected again': () => grants.collect(one),
        'an unknown one is collected': () => grants.collect(newDigest()),
        'it is polled when it is expired': () => engine.pass(LIFE_MS).then(() => grants.poll(one, CLIENT_TAG)),
        'whether it waits is asked': () => grants.stateOf(one),
        'whether an unknown one waits is asked': () => grants.stateOf(newDigest()),
        'a family begins': () => families.begin('a', family, until(2_592_000_000)),
        'it begins again': () => families.begin('a', family, until(9_000_000_000)),
        'one begins whose time is over': () => families.begin('b', family, until(-5)),
        'it is looked at': () => families.find('a'),
        'its token is rotated': () => families.rotate('a', first, second),
        'the same token is rotated': () => families.rotate('a', first, second),
        'an old token is rotated': () => engine.pass(30_001).then(() => families.rotate('a', first, second)),
        'a token of an unknown one is rotated': () => families.rotate('c', first, second),
        'a record is created': () => records.create('alice', '1', { a: '1' }, until(50_000)),
        'it is created again': () => records.create('alice', '1', { a: '2' }, until(90_000)),
        'a shorter one is created': () => records.create('alice', '2', { a: '1' }, until(10_000)),
        'one is created whose time is over': () => records.create('alice', '3', { a: '1' }, until(-5)),
        'it is changed': () => records.change('alice', '1', { set: { a: '2' }, setOnce: { b: '3' }, clear: ['c'] }),
        'its life is changed': () => records.change('alice', '1', { keepUntilMs: until(70_000) }),
        'its life is over': () => records.change('alice', '1', { keepUntilMs: until(-5) }),
        'what is not there is changed': () =>
          records.change('alice', '9', { set: { a: '1' }, keepUntilMs: until(9_000) }),
        'records are ended': () => records.end('alice', ['1', '9'], { field: 'c', value: '1' }, until(60_000)),
        'records are trimmed': () => records.trim('alice', { withinMs: 1_000_000_000, most: 1 }, 0),
        'a record is deleted': () => records.delete('alice', '2'),
        'what is not there is deleted': () => records.delete('bob', '2'),
        'records are listed': () => records.list('alice'),
        'a hit is counted': () => limits.hit('a', 60_000),
        'a second one is counted': () => limits.hit('a', 60_000),
        'an attempt is taken': () => limits.take('b', '1', 1, 60_000),
        'the same attempt is taken': () => limits.take('b', '1', 1, 60_000),
        'an attempt is refused': () => limits.take('b', '2', 1, 60_000),
        'an attempt is given back': () => limits.giveBack('b', '1'),
        'what was not taken is given back': () => limits.giveBack('c', '1'),
        'an event is told': () => events.add([{ type: 'grant.started', actor: 'client:cli' }], engine.clock()),
        'another is, that not anybody can cause': () =>
          events.add([{ type: 'user.blocked', actor: 'operator' }], engine.clock()),
        'a signing key is kept': () => signingKeys.succeed(undefined, signingKeyOf('a'), [])
      }
      let keysSeen = 0
      for (const [name, operation] of Object.entries(operations)) {
        await operation()
        const lives = await engine.lives()
        keysSeen += lives.size
        const lasting = [`${engine.prefix}signing-keys`, ...Object.values(createKeys(engine.prefix).events)]
        const endless = [...lives].filter(([key, leftMs]) => leftMs === -1 && !lasting.includes(key))
        t.same(endless, [], `when ${name}`)
      }
      t.ok(keysSeen > 100, `looked at ${keysSeen} keys`)
    }
  )

  t.test('a grant and its code outlive the rules by a minute, and no operation prolongs that', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const [digest, tag] = [newDigest(), newTag()]
    await grants.create(digest, tag, newGrant())
    await grants.poll(digest, CLIENT_TAG)
    await grants.poll(digest, CLIENT_TAG)
    await grants.decide(digest, decisionOf())
    await grants.collect(digest)
    for (const [key, leftMs] of await engine.lives()) {
      t.ok(leftMs <= LIFE_MS + 360_000 && leftMs > LIFE_MS + 350_000, `${key} lives ${leftMs} ms`)
    }
  })

  t.test('a grant collected in the last moment outlives the time to collect it again by a minute', async (t) => {
    const engine = await start(t)
    const { grants } = engine.storage
    const digest = newDigest()
    await grants.create(digest, newTag(), newGrant())
    await grants.decide(digest, decisionOf())
    await engine.pass(LIFE_MS + 299_999)
    const leftMs = async () => (await engine.lives()).get(createKeys(engine.prefix).grant(digest)) ?? 0
    t.ok((await leftMs()) <= 60_001, 'it was about to go')
    t.equal(await grants.collect(digest), 'collected')
    t.ok((await leftMs()) <= 90_000 && (await leftMs()) > 80_000)
    await engine.pass(1_000)
    t.equal(await grants.collect(digest), 'collected')
    t.ok((await leftMs()) <= 89_000, 'and that is not prolonged again')
  })

  t.test('a family of refresh tokens lives as long as its authorization, and no operation prolongs that', async (t) => {
    const engine = await start(t)
    const { refreshFamilies: families } = engine.storage
    const until = engine.clock() + 2_592_000_000
    const digests = times(10, newDigest) as [string, ...string[]]
    const family = { userId: 'alice', currentDigest: digests[0] }
    await families.begin('a', family, until)
    await engine.pass(1_000_000)
    await families.begin('a', family, engine.clock() + 9_000_000_000)
    for (const [i, digest] of digests.entries()) await families.rotate('a', digest, digests[i + 1] ?? newDigest())
    const [[key, leftMs] = ['', 0], ...more] = await engine.lives()
    t.same(more, [])
    t.ok(leftMs <= until - engine.clock() && leftMs > until - engine.clock() - 10_000, `${key} lives ${leftMs} ms`)
  })

  t.test('a write that comes after the end does not bring anything back', async (t) => {
    const engine = await start(t)
    const { grants, refreshFamilies: families, authorizations: records } = engine.storage
    const [digest, tag] = [newDigest(), newTag()]
    await grants.create(digest, tag, newGrant())
    await grants.decide(digest, decisionOf())
    await records.create('alice', '1', { a: '1' }, engine.clock() + 1_000)
    const [first, second] = [newDigest(), newDigest()]
    await families.begin('a', { userId: 'alice', currentDigest: first }, engine.clock() + 1_000)
    await engine.pass(LIFE_MS + 360_000)
    t.equal((await engine.lives()).size, 0)
    await families.rotate('a', first, second)
    await families.rotate('a', second, newDigest())
    await grants.poll(digest, CLIENT_TAG)
    await grants.decide(digest, decisionOf())
    await grants.collect(digest)
    await records.change('alice', '1', { set: { a: '2' }, setOnce: { b: '1' }, keepUntilMs: engine.clock() + 1_000 })
    await records.delete('alice', '1')
    t.equal((await engine.lives()).size, 0)
  })
})

const HEAD = /^[padc][\w*.-]{6} \d{13} \d{5} \d{13} [\w-]{12}[ +][\w-]{12} (\d{13}|[\w-]{12}0)$/

t.test('a grant rests in the columns that prologue.lua describes', async (t) => {
  const lua = readFileSync(inRoot('src/storage/redis/scripts/prologue.lua'), 'utf8')
  const [ofGrant = ''] = lua.split('-- A family of refresh tokens')
  const columns = [...ofGrant.matchAll(/^local [A-Z_, ]+ = (\d+)(?:, (\d+))? +-- ([^:;,\n]+)/gm)].map(
    ([, from, to = from, name = '']) => ({ name, from: Number(from), to: Number(to) })
  )
  t.same(
    columns.map(({ name }) => name),
    [
      ...['phase', 'tag of the client that asks', 'expires at', 'interval', 'polled at'],
      'id of the last accepted poll',
      '+',
      ...['id of the last refused poll', 'collected at']
    ]
  )
  const engine = await start(t)
  const { grants } = engine.storage
  const { grant: keyOf } = createKeys(engine.prefix)
  const ms = (time: number) => `${time}`.padStart(13, '0')
  const none = '-'.repeat(12)

  /** Returns the columns of a grant by name, and checks the rest of the record. */
  const read = async (digest: string, lines: number) => {
    const record = (await server.client.get(keyOf(digest))) ?? ''
    const [head = '', ...rest] = record.split('\n')
    t.match(head, HEAD)
    t.equal(head.length, 81)
    t.equal(rest.length, lines - 1)
    for (const line of rest) t.ok(JSON.parse(line), 'every other line is JSON')
    return Object.fromEntries(columns.map(({ name, from, to }) => [name, head.slice(from - 1, to)]))
  }

  for (const [action, phase] of [
    ['approve', 'a'],
    ['deny', 'd']
  ] as const) {
    const [digest, createdAtMs] = [newDigest(), engine.clock()]
    const request = requestOf({ metadata: { name: 'two\nlines' }, clientId: 'acme', scopes: ['openid'] })
    await grants.create(digest, newTag(), { ...newGrant(), request, clientTag: tagOf('acme'), intervalMs: 7_000 })
    const expected: Record<string, string> = {
      phase: 'p',
      'expires at': ms(createdAtMs + LIFE_MS),
      interval: '07000',
      'polled at': ms(0),
      'id of the last accepted poll': none,
      '+': ' ',
      'id of the last refused poll': none,
      'collected at': ms(0),
      'tag of the client that asks': tagOf('acme')
    }
    t.same(await read(digest, 2), expected, 'created')

    engine.clock.advance(1_000)
    await grants.poll(digest, tagOf('acme'))
    const accepted = await read(digest, 2)
    const acceptedId = accepted['id of the last accepted poll'] as string
    t.match(acceptedId, /^[\w-]{12}$/)
    t.not(acceptedId, none)
    Object.assign(expected, { 'polled at': ms(engine.clock()), 'id of the last accepted poll': acceptedId, '+': '+' })
    t.same(accepted, expected, 'polled')

    engine.clock.advance(300)
    await grants.poll(digest, tagOf('acme'))
    const repeated = await read(digest, 2)
    t.match(repeated['collected at'], /^[\w-]{12}0$/)
    t.notOk(repeated['collected at']?.startsWith(acceptedId))
    Object.assign(expected, { '+': ' ', 'collected at': repeated['collected at'] })
    t.same(repeated, expected, 'polled again at once')

    for (const interval of ['12000', '17000', '22000', '27000', '32000', '37000', '42000', '47000', '52000', '57000']) {
      engine.clock.advance(1_000)
      await grants.poll(digest, tagOf('acme'))
      const refused = await read(digest, 2)
      t.not(refused['id of the last refused poll'], expected['id of the last refused poll'])
      t.not(refused['id of the last refused poll'], acceptedId)
      Object.assign(expected, {
        ...{ interval, 'polled at': ms(engine.clock()) },
        'id of the last refused poll': refused['id of the last refused poll']
      })
      t.same(refused, expected, 'polled too early')
    }

    engine.clock.advance(1_000)
    await grants.poll(digest, tagOf('another'))
    await grants.stateOf(digest)
    t.same(await read(digest, 2), expected, 'asked about by others')
    await grants.decide(digest, decisionOf({ action }))
    t.same(await read(digest, 3), { ...expected, phase }, action)
    await grants.poll(digest, tagOf('acme'))
    t.same(await read(digest, 3), { ...expected, phase }, 'looked at')
    engine.clock.advance(1_000)
    await grants.collect(digest)
    const collected = { phase: 'c', 'collected at': ms(engine.clock()) }
    t.same(await read(digest, 3), { ...expected, ...(phase === 'a' ? collected : { phase }) }, 'collected')
    engine.clock.advance(1_000)
    await grants.collect(digest)
    t.same(await read(digest, 3), { ...expected, ...(phase === 'a' ? collected : { phase }) }, 'collected again')
  }
})

t.test(
  'a family of refresh tokens rests as scripts/prologue.lua describes: the last four, the newest first',
  async (t) => {
    const engine = await start(t)
    const { refreshFamilies: families } = engine.storage
    const digests = times(11, newDigest)
    const at = (index: number) => digests[index] as string
    await families.begin('a', { userId: 'alice\n{}', currentDigest: at(0) }, engine.clock() + 60_000)
    let rotated: string[] = []
    for (let index = 0; index < 10; index++) {
      engine.clock.advance(1_000)
      await families.rotate('a', at(index), at(index + 1))
      rotated = [`${at(index)}${engine.clock()}`, ...rotated].slice(0, 4)
      t.same(await server.client.hgetall(createKeys(engine.prefix).refreshFamily('a')), {
        user: 'alice\n{}',
        current: at(index + 1),
        rotated: rotated.join('')
      })
    }
  }
)

t.test('what is sent twice, because an answer was lost', async (t) => {
  t.test('an accepted poll that is repeated is accepted again and moves nothing', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).grant('g')
    await engine.storage.grants.create('g', newTag(), newGrant())
    const id = nextRunId()
    t.equal(await pollBy(run, key, id, engine.clock()), 'pending')
    const record = await server.client.get(key)
    for (const ms of [0, 300, 4_000, 5_000, 60_000]) {
      t.equal(await pollBy(run, key, id, engine.clock() + ms), 'pending')
      t.equal(await server.client.get(key), record)
    }
    t.same(await pollBy(run, key, nextRunId(), engine.clock() + 4_499), ['slow_down', 10_000], 'others still wait')
    t.equal(await pollBy(run, key, id, engine.clock() + 4_600), 'pending', 'even after a refused one came between')
  })

  t.test('so is the poll that repeated an accepted one, whatever came after it', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).grant('g')
    await engine.storage.grants.create('g', newTag(), newGrant())
    const [accepted, repetition, refused] = [nextRunId(), nextRunId(), nextRunId()]
    const poll = (id: string, afterMs: number) => pollBy(run, key, id, engine.clock() + afterMs)
    t.equal(await poll(accepted, 0), 'pending')
    t.equal(await poll(repetition, 3), 'pending')
    t.same(await poll(refused, 6), ['slow_down', 10_000])
    const record = await server.client.get(key)
    for (const ms of [6, 299, 301, 4_000, 20_000]) {
      t.equal(await poll(accepted, ms), 'pending')
      t.equal(await poll(repetition, ms), 'pending')
      t.same(await poll(refused, ms), ['slow_down', 10_000])
      t.equal(await server.client.get(key), record)
    }
    // An approval, and a collection over the id that is kept in its place.
    t.equal((await engine.storage.grants.decide('g', decisionOf())).kind, 'decided')
    t.equal(await engine.storage.grants.collect('g'), 'collected')
    t.match((await server.client.get(key))?.split('\n')[0], HEAD)
    t.equal((await engine.storage.grants.poll('g', CLIENT_TAG)).kind, 'approved')
  })

  t.test('the version before reads what this one writes, and this one what that wrote', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).grant('g')
    await engine.storage.grants.create('g', newTag(), newGrant())
    const poll = (afterMs: number) => pollBy(run, key, nextRunId(), engine.clock() + afterMs)
    // That version wrote time and id of an accepted poll, and nothing behind them.
    const byThatVersion = (afterMs: number) =>
      server.client.setrange(key, 28, `${engine.clock() + afterMs} ${nextRunId()}`)
    await byThatVersion(0)
    t.same(await poll(3), ['slow_down', 10_000], 'what it accepted first is not repeated')
    t.equal(await poll(20_000), 'pending')
    t.equal(await poll(20_003), 'pending')
    const [head = ''] = (await server.client.get(key))?.split('\n') ?? []
    t.match(head.slice(28, 41), /^\d{13}$/)
    t.match([head.slice(42, 54), head.slice(55, 67)], [/^[\w-]{12}$/, /^[\w-]{12}$/], 'the ids are where it looks')
    await byThatVersion(40_000)
    t.same(await poll(40_003), ['slow_down', 15_000])
  })

  t.test('a refused poll that is repeated is refused with the same interval and moves nothing', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).grant('g')
    await engine.storage.grants.create('g', newTag(), newGrant())
    await pollBy(run, key, nextRunId(), engine.clock())
    const id = nextRunId()
    t.same(await pollBy(run, key, id, engine.clock() + 1_000), ['slow_down', 10_000])
    const record = await server.client.get(key)
    for (const ms of [1_000, 1_300, 12_000]) {
      t.same(await pollBy(run, key, id, engine.clock() + ms), ['slow_down', 10_000])
      t.equal(await server.client.get(key), record)
    }
    t.equal(await pollBy(run, key, nextRunId(), engine.clock() + 10_500), 'pending', 'the interval grew once')
  })

  t.test('a redemption that is repeated is the same one, and any other is another', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).grant('c')
    const tag = codeTagOf('cli')
    await engine.storage.grants.create('c', undefined, { ...newGrant(), clientTag: tag })
    await engine.storage.grants.decide('c', decisionOf())
    const id = nextRunId()
    const redeem = (by: string, afterMs = 0) => run('grant-redeem', key, tag, by, engine.clock() + afterMs)
    t.equal(await redeem(id), 'collected')
    const record = await server.client.get(key)
    t.match(record?.split('\n')[0], HEAD)
    for (const ms of [0, 5_000, 60_000]) t.equal(await redeem(id, ms), 'collected')
    t.strictSame(await redeem(nextRunId()), ['spent', record])
    t.equal(await server.client.get(key), record)
  })

  t.test('a decision that is repeated is repeated, and a collection keeps its first time', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const { grant, decisions } = createKeys(engine.prefix)
    const key = grant('g')
    await engine.storage.grants.create('g', newTag(), newGrant())
    const text = '{"user":"u","client":"c","ip":"i"}'
    const decide = () => run('grant-decide', key, 'a', text, 'u', decisions('g'), 'g', engine.clock())
    t.match(await decide(), ['decided'])
    const decided = await server.client.get(key)
    t.strictSame(await decide(), ['repeated', 'c'])
    t.equal(await server.client.get(key), decided)
    t.equal(await run('grant-collect', key, engine.clock()), 'collected')
    const collected = await server.client.get(key)
    t.equal(await run('grant-collect', key, engine.clock() + 5_000), 'collected')
    t.equal(await server.client.get(key), collected)
  })

  t.test('a withdrawal that is repeated writes once, in a form that the version before can read', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const { grant, decisions } = createKeys(engine.prefix)
    const key = grant('w')
    await engine.storage.grants.create('w', newTag(), newGrant())
    const pending = String(await server.client.get(key))
    const withdraw = () => run('grant-withdraw', key, CLIENT_TAG, decisions('w'), 'w', engine.clock())
    t.same(await withdraw(), ['withdrawn', pending])
    const withdrawn = String(await server.client.get(key))
    // Version 0.1 parses the third line of every grant that is not pending, and compares its user.
    t.equal(withdrawn, `w${pending.slice(1)}\n{}`)
    t.ok((await server.client.pttl(key)) > 0, 'it still ends')
    t.same(await withdraw(), ['withdrawn', withdrawn])
    t.equal(await server.client.get(key), withdrawn)
  })

  t.test('a rotation that is repeated, by whichever instance, leads to the same token and moves nothing', async (t) => {
    const engine = await start(t)
    const { run } = await scripts(t)
    const key = createKeys(engine.prefix).refreshFamily('a')
    const contents = () => server.client.hgetall(key)
    t.same(await run('refresh-begin', key, 'alice', 'D'.repeat(43), 600_000), ['alice', 'D'.repeat(43)])
    const begun = await contents()
    t.same(begun, { user: 'alice', current: 'D'.repeat(43), rotated: '' })
    t.same(await run('refresh-begin', key, 'alice', 'D'.repeat(43), 600_000), ['alice', 'D'.repeat(43)])
    t.same(await contents(), begun)
    const rotate = (nowMs: number) => run('refresh-rotate', key, 'D'.repeat(43), 'E'.repeat(43), nowMs)
    t.same(await rotate(engine.clock()), ['rotated', 'E'.repeat(43)])
    const rotated = await contents()
    t.same(rotated, { user: 'alice', current: 'E'.repeat(43), rotated: `${'D'.repeat(43)}${engine.clock()}` })
    for (const ms of [0, 500, 30_000]) {
      t.same(await rotate(engine.clock() + ms), ['repeated', 'E'.repeat(43)])
      t.same(await contents(), rotated)
    }
  })

  t.test('the ids of runs are twelve characters and do not repeat', async (t) => {
    const ids = times(10_000, nextRunId)
    t.equal(new Set(ids).size, 10_000)
    t.ok(ids.every((id) => /^[\w-]{12}$/.test(id)))
    t.notOk(ids.includes('------------'), 'none of them stands for nothing')
  })
})

t.test('the time of grants and rotations is Redis’s own when nobody hands one in', async (t) => {
  const { run } = await scripts(t)
  const { grant, refreshFamily, decisions, limit } = createKeys('own-time:')
  const key = grant('g')
  const nowMs = async () => {
    const [seconds, micros] = await server.client.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }
  const before = await nowMs()
  // The interval is so long that no poll is in time again because the machine is busy.
  await run('grant-create', key, 900_000, 60_000, 1_260_000, CLIENT_TAG, '["cli",null,null,null,null,"i",900000]')
  t.equal(await pollBy(run, key, nextRunId()), 'pending')
  // It depends on how busy the machine is whether the second poll still is a repetition.
  await pollBy(run, key, nextRunId())
  t.match(await pollBy(run, key, nextRunId()), ['slow_down'])
  t.match(await run('grant-find', key), ['pending'])
  const decision = ['a', '{"user":"u"}', 'u', decisions('g'), 'g']
  const [, decidedAtMs] = (await run('grant-decide', key, ...decision)) as [string, number]
  t.equal(await run('grant-collect', key), 'collected')
  await run('refresh-begin', refreshFamily('a'), 'alice', 'D'.repeat(43), 600_000)
  await run('refresh-rotate', refreshFamily('a'), 'D'.repeat(43), 'E'.repeat(43))
  const rotated = (await server.client.hget(refreshFamily('a'), 'rotated')) ?? ''
  const after = await nowMs()
  const head = (await server.client.get(key))?.split('\n')[0] ?? ''
  t.match(head, HEAD, 'the columns stay where they are')
  for (const ms of [
    Number(head.slice(8, 21)) - 900_000,
    Number(head.slice(28, 41)),
    decidedAtMs,
    Number(head.slice(68, 81)),
    Number(rotated.slice(43))
  ]) {
    t.ok(ms >= before && ms <= after, `${before} <= ${ms} <= ${after}`)
  }
  const takenAfter = await nowMs()
  t.equal(await run('limit-take', limit('own'), '1', 1, 60_000), -1)
  const freeInMs = Number(await run('limit-take', limit('own'), '2', 1, 60_000))
  const passedMs = (await nowMs()) - takenAfter
  t.ok(freeInMs >= 60_000 - passedMs && freeInMs <= 60_000, `free in ${freeInMs} ms, after ${passedMs} ms`)
})

t.test('an accepted poll is not written to disk, a refused one and every decision are', async (t) => {
  // On a server of its own: another would also write that keys of earlier tests have expired.
  const own = await startRedis()
  t.teardown(() => own.stop())
  const { storage } = await startRedisEngine(t, own)
  const [digest, tag] = [newDigest(), newTag()]
  const written = async () => Number(/aof_current_size:(\d+)/.exec(await own.client.info('persistence'))?.[1])
  await storage.grants.create(digest, tag, newGrant())
  let before = await written()
  t.equal((await storage.grants.poll(digest, CLIENT_TAG)).kind, 'pending')
  t.equal((await storage.grants.poll(digest, CLIENT_TAG)).kind, 'pending')
  t.equal(await written(), before, 'nothing for the poll that was in time, nor for its repetition')
  t.equal((await storage.grants.poll(digest, CLIENT_TAG)).kind, 'slow_down')
  t.ok((await written()) > before, 'the longer interval is for good')
  before = await written()
  await storage.grants.decide(digest, { action: 'approve', userId: 'u', authorizationId: 'c', ip: 'i' })
  t.ok((await written()) > before, 'so is the decision')
})

t.test('a server that has forgotten its scripts is taught them again', async (t) => {
  const engine = await start(t)
  const { grants, refreshFamilies: families, authorizations: records, limits, signingKeys } = engine.storage
  const flush = () => server.client.script('FLUSH')
  const [digest, tag] = [newDigest(), newTag()]
  await flush()
  t.equal(await grants.create(digest, tag, newGrant()), 'created')
  await flush()
  t.same(await Promise.all(times(3, () => grants.poll(digest, CLIENT_TAG).then(({ kind }) => kind))), [
    'pending',
    'pending',
    'slow_down'
  ])
  await flush()
  t.equal((await grants.find(tag))?.state, 'pending')
  await flush()
  t.equal((await grants.decide(digest, decisionOf())).kind, 'decided')
  await flush()
  t.equal(await grants.collect(digest), 'collected')
  await flush()
  t.equal(await grants.stateOf(digest), 'resolved')
  await flush()
  const [first, second] = [newDigest(), newDigest()]
  const family = { userId: 'alice', currentDigest: first }
  t.same(await families.begin('a', family, engine.clock() + 60_000), family)
  await flush()
  t.same(await Promise.all(times(3, () => families.rotate('a', first, second).then(({ kind }) => kind))), [
    'rotated',
    'repeated',
    'repeated'
  ])
  await flush()
  t.same(await records.create('alice', '1', { a: '1' }, engine.clock() + 60_000), { a: '1' })
  await flush()
  t.same(await records.change('alice', '1', { set: { a: '2' } }), { a: '2' })
  await flush()
  t.same(await records.end('alice', ['1'], { field: 'b', value: '1' }, engine.clock() + 60_000), ['1'])
  await flush()
  t.equal((await records.page('alice', { order: 'first-to-end', most: 1 })).records.size, 1)
  await flush()
  await records.delete('alice', '1')
  t.equal(await records.get('alice', '1'), undefined)
  await flush()
  t.equal((await limits.hit('a', 60_000)).count, 1)
  await flush()
  t.equal(await limits.take('b', '1', 1, 60_000), undefined)
  await flush()
  t.equal((await signingKeys.succeed(undefined, signingKeyOf('a'), [])).length, 1)
})

t.test('a key that holds something else', async (t) => {
  /** Arguments with which each script would write. A key of another type is planted at each of its keys. */
  const argumentsOf: Record<ScriptName, (string | number)[]> = {
    'grant-create': [900_000, 5_000, 1_260_000, '*tag12', '{}', '+', 1_700_000_000_000],
    'grant-poll': ['poll id 1234', NEVER_LATE, 1, 'p*', 1_700_000_000_000],
    'grant-find': [1_700_000_000_000],
    'grant-decide': ['a', '{"user":"u"}', 'u', 'channel', 'digest', 1_700_000_000_000],
    'grant-withdraw': ['*', 'channel', 'digest', 1_700_000_000_000],
    'grant-collect': [1_700_000_000_000],
    'grant-redeem': ['.tag12', 'run id 12345', 1_700_000_000_000],
    'record-create': ['id', 60_000, '', '', 'field', 'value'],
    'record-change': ['id', 60_000, 'set', '', '', 'set', 'field', 'value'],
    'record-delete': ['id'],
    'record-page': ['up', 10, 0, '', '', ''],
    'record-end': ['field', 'value', 'other', 60_000, 'id'],
    'revocation-announce': [1_700_000_000_000, 'a tag', 'channel', 'message', 100, 'id', 1, 2, 'user', ''],
    'revocation-page': [1, '1.tag', 10, 100],
    'revocation-sweep': [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_000, 10],
    'status-index-take': [131_072, 65_536, 1, 2],
    'refresh-begin': ['user', 'digest', 60_000],
    'refresh-rotate': ['digest', 'next', 1_700_000_000_000],
    'events-add': [100, 2, 1, 'type', 'user.blocked'],
    'events-search': ['after', '', 10, 10, 'grant.started', ''],
    'limit-take': ['attempt', 1, 60_000],
    'lock-acquire': ['holder', 60_000],
    'lock-release': ['holder'],
    'signing-keys-succeed': ['', 'kid', '{}'],
    'read-and-hit': [60_000, 'api-key'],
    'replica-fence': [1_000]
  }
  const SEVERAL_KEYS: Partial<Record<ScriptName, number>> = {
    'revocation-announce': 5,
    'revocation-page': 3,
    'revocation-sweep': 4,
    'status-index-take': 2,
    'events-add': 2
  }
  const keysOf = (name: ScriptName) => {
    const [record, index] = [`foreign:{${name}}:record`, `foreign:{${name}}`]
    if (name === 'record-page') return [index]
    if (name === 'record-end') return [index, record]
    const several = SEVERAL_KEYS[name]
    if (several) return times(several, (i) => `foreign:{${name}}:${i}`)
    if (name === 'read-and-hit') return [record, `foreign:{${name}}:window`]
    return name.startsWith('record-') ? [record, index] : [`foreign:${name}`]
  }

  t.test('every script is looked at', async (t) => {
    const files = readdirSync(inRoot('src/storage/redis/scripts'))
    t.same(files.map((file) => file.replace('.lua', '')).sort(), [...Object.keys(argumentsOf), 'prologue'].sort())
  })

  const warnings: string[] = []
  const connection = await connectTo(server.url, (message) => warnings.push(message))
  t.teardown(() => connection.close())
  const { run, call } = connection
  const { client } = server
  const dump = async () => {
    const keys = (await client.keys('foreign:*')).sort()
    return Promise.all(
      keys.map(async (key) => [key, (await client.dumpBuffer(key))?.toString('hex'), await client.pttl(key)])
    )
  }
  for (const name of Object.keys(argumentsOf) as ScriptName[]) {
    const keys = keysOf(name)
    for (const [place, planted] of keys.entries()) {
      t.test(`${name} fails on it and changes nothing${keys.length > 1 ? `, key ${place + 1}` : ''}`, async (t) => {
        await client.flushdb()
        // The other key has what the script expects to find there.
        if (place === 1 && name === 'record-end') await client.zadd(keys[0] as string, 1, 'id')
        else if (place === 1 && name === 'events-add') await client.xadd(keys[0] as string, '*', 'type', 'before')
        else if (place === 1) await client.hset(keys[0] as string, 'field', 'before')
        if (place === 1 && name === 'record-create') await client.del(keys[0] as string)
        await client.rpush(planted, 'foreign')
        const before = await dump()
        const failure = await run(name, keys[0] as string, ...keys.slice(1), ...argumentsOf[name]).then(
          (answer) => `it answered ${JSON.stringify(answer)}`,
          (error) => error
        )
        t.match(failure, { name: 'Fault', code: 'unavailable', detail: /WRONGTYPE/ })
        t.same(await dump(), before)
      })
    }
  }

  t.test('plain commands fail on it in the same way', async (t) => {
    await client.rpush('foreign:plain', 'foreign')
    await client.set('foreign:limit', 'no number')
    const commands: Record<string, () => Promise<unknown>> = {
      hgetall: () => call('hgetall', (redis) => redis.hgetall('foreign:plain')),
      get: () => call('get', (redis) => redis.get('foreign:plain')),
      zrange: () => call('zrange', (redis) => redis.zrange('foreign:plain', '0', '-1')),
      zrem: () => call('zrem', (redis) => redis.zrem('foreign:plain', 'one')),
      'a number that is none': () => run('read-and-hit', 'foreign:none', 'foreign:limit', 60_000, 'api-key')
    }
    for (const [name, command] of Object.entries(commands)) {
      await t.rejects(command(), { name: 'Fault', code: 'unavailable' }, name)
    }
  })

  t.test('the log has one line a minute for each command, which names the keys', async (t) => {
    const own = [...warnings]
    for (let i = 0; i < 10; i++) await t.rejects(call('get', (redis) => redis.get('foreign:plain')))
    t.same(warnings, own)
    t.match(own[0], /^a key of Redis is of the wrong type, .+: foreign:grant-create \(grant-create\)$/)
    t.ok(
      own.some((line) => line.endsWith(': foreign:{record-create}:record or foreign:{record-create} (record-create)'))
    )
    t.equal(own.length, Object.keys(argumentsOf).length + 4)
  })
})

t.test('the decision feed', async (t) => {
  const own = await startRedis()
  t.teardown(() => own.stop())

  /** Starts two instances with a listener each. `hear` waits until Redis is back and a decision is heard. */
  const setUp = async (t: Test, patience = PATIENT) => {
    const engine = await startRedisEngine(t, own, patience)
    const instances = [engine.storage, engine.other]
    const listeners = instances.map(({ decisions }) => listenTo(decisions))
    const areUp = () => instances.map(({ decisions }) => decisions.isUp())
    const hear = async (asked = engine.storage, decider = engine.other) => {
      await until(() => Promise.all(instances.map((storage) => storage.check())))
      const digest = await pendingGrant(asked)
      await decider.grants.decide(digest, decisionOf())
      await Promise.all(listeners.map(({ untilHeard }) => untilHeard(digest)))
      return listeners.map(({ heard }) => heard.filter((one) => one === digest).length)
    }
    return { ...engine, listeners, areUp, hear }
  }

  t.test('takes one connection of each instance, and listens to one channel', async (t) => {
    const { hear, prefix } = await setUp(t)
    await hear()
    const clients = String(await own.client.client('LIST')).split('\n')
    const subscribers = clients.filter((line) => / name=grantd-subscriber /.test(line))
    t.equal(subscribers.length, 2)
    for (const line of subscribers) t.match(line, / sub=0 psub=0 ssub=1 /)
    const [channel = ''] = createKeys(prefix).decisionChannels
    t.same(await own.client.pubsub('SHARDNUMSUB', channel), [channel, 2])
    t.equal(clients.filter((line) => / name=grantd /.test(line)).length, 2, 'beside the one for commands')
  })

  t.test('is deaf to other prefixes', async (t) => {
    const [one, two] = [await setUp(t), await setUp(t)]
    await one.hear()
    await two.hear()
    for (const { listeners } of [one, two])
      t.same(
        listeners.map(({ heard }) => heard.length),
        [1, 1]
      )
  })

  t.test('goes down when Redis is killed, tells that it is back when it is, and hears again', async (t) => {
    const { listeners, areUp, hear } = await setUp(t)
    t.same(areUp(), [true, true])
    for (const time of [1, 2]) {
      await own.kill()
      await until(() => !areUp().includes(true))
      t.same(
        listeners.map(({ resumptions }) => resumptions()),
        [time - 1, time - 1],
        'nobody is told too early'
      )
      await own.start()
      await Promise.all(listeners.map(({ untilResumed }) => untilResumed(time)))
      t.same(areUp(), [true, true])
      t.same(await hear(), [1, 1])
      t.same(
        listeners.map(({ resumptions }) => resumptions()),
        [time, time],
        'once each time'
      )
    }
  })

  t.test('a decision that was taken while it was away can be read by whoever is told that it is back', async (t) => {
    const { storage, listeners, hear } = await setUp(t)
    const digest = await pendingGrant(storage)
    await hear()
    await own.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await storage.grants.decide(digest, decisionOf())
    await Promise.all(listeners.map(({ untilResumed }) => untilResumed()))
    t.equal(await storage.grants.stateOf(digest), 'resolved')
    t.same(await hear(), [1, 1])
  })

  t.test('notices within five seconds that Redis says nothing any more, and when it speaks again', async (t) => {
    const { listeners, areUp, hear, prefix, clock } = await setUp(t, IMPATIENT)
    // Redis may be too slow for them when it has just been woken, so another one asks and decides.
    const patient = await openStorage(t, redisConfig(at(own.url), { prefix }), clock)
    const elapsed = startStopwatch(t)
    process.kill(own.pid(), 'SIGSTOP')
    try {
      await until(() => !areUp().includes(true))
      const seconds = elapsed() / 1000
      t.ok(seconds < 5, `after ${seconds.toFixed(1)} s`)
      t.same(
        listeners.map(({ resumptions }) => resumptions()),
        [0, 0]
      )
    } finally {
      process.kill(own.pid(), 'SIGCONT')
    }
    await Promise.all(listeners.map(({ untilResumed }) => untilResumed()))
    t.same(areUp(), [true, true])
    t.same(await hear(patient, patient), [1, 1])
  })
})

t.test(
  'a Redis user that may not announce anything: what a decision answers is what has become of the grant',
  async (t) => {
    // Since Redis 7 an ACL user without channels may not publish anything.
    await server.client.call('ACL', 'SETUSER', 'silent', 'on', '>password', '~*', '+@all', 'resetchannels')
    const connection = await connectTo(`redis://silent:password@127.0.0.1:${server.port}`)
    t.teardown(() => connection.close())
    const grants = createRedisGrantStore(connection, createKeys('silent:'))
    for (const action of ['approve', 'deny'] as const) {
      const digest = newDigest()
      await grants.create(digest, newTag(), newGrant())
      const answer = await grants.decide(digest, decisionOf({ action })).then(
        ({ kind }) => kind,
        () => 'refused'
      )
      t.equal(await grants.stateOf(digest), answer === 'decided' ? 'resolved' : 'pending', `${action}: ${answer}`)
    }
  }
)

/** Resolves as soon as `isSo` neither rejects nor returns false. What never comes ends with the test. */
async function until(isSo: () => unknown): Promise<void> {
  while ((await Promise.resolve(isSo()).catch(() => false)) === false) await sleep(20)
}

t.test('what rests in Redis', async (t) => {
  t.test('holds no code, no token and no private key in clear', async (t) => {
    await server.client.flushall()
    const service = await startApp(t, {
      REDIS_URL: server.url,
      PUBLIC_URL: 'https://grants.example',
      SIGNING_ALG: 'ES256'
    })
    const secrets: Record<string, string> = { GRANTD_SECRET, session: await sessionOf('alice') }
    const note = (name: string, { grant_code, user_code }: { grant_code: string; user_code: string }) => {
      secrets[`grant code ${name}`] = grant_code
      secrets[`user code ${name}`] = user_code
      secrets[`user code ${name} without hyphen`] = user_code.replace('-', '')
    }
    const approved = await service.start({ name: 'approved' })
    const denied = await service.start({ name: 'denied' })
    const pending = await service.start({ name: 'pending' })
    note('approved', approved)
    note('denied', denied)
    note('pending', pending)
    await service.poll(pending.grant_code)
    await service.poll(pending.grant_code)
    await service.decide(approved.user_code, 'alice')
    await service.decide(denied.user_code, 'alice', 'deny')
    await service.decide('BCDF-GHJK', 'mallory')
    const { body } = await service.poll(approved.grant_code)
    const [header, payload, signature] = body.jwt.split('.')
    Object.assign(secrets, { jwt: body.jwt, header, payload, signature })
    const key = service.app.core.signingKeys.current()
    const pem = (key?.privateKey ?? '').split('\n')
    secrets['private key'] = pem[1] as string
    secrets['end of the private key'] = pem[2] as string
    secrets['a private key'] = 'PRIVATE KEY'
    secrets['private member of a JWK'] = '"d":'
    t.equal((await service.call('GET', '/auth/clients', { token: body.jwt })).status, 200)

    const post = async (path: string, parameters: Record<string, string>) =>
      (await service.call('POST', path, { body: { client_id: 'cli', ...parameters } })).body
    const authorize = () => post('/oauth/device_authorization', { scope: 'openid offline_access' })
    const [device, waiting] = [await authorize(), await authorize()]
    note('of OAuth', { grant_code: device.device_code, user_code: device.user_code })
    note('of OAuth that waits', { grant_code: waiting.device_code, user_code: waiting.user_code })
    await service.decide(device.user_code, 'alice')
    const ofDevice = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code }
    await post('/oauth/token', { ...ofDevice, device_code: waiting.device_code })
    let tokens = await post('/oauth/token', ofDevice)
    for (const name of ['first', 'second', 'third']) {
      const { access_token, refresh_token, id_token } = tokens
      Object.assign(secrets, { [`${name} access token`]: access_token, [`${name} ID token`]: id_token })
      const [, secret, seal] = refresh_token.split('.')
      secrets[`${name} refresh token`] = refresh_token
      secrets[`secret of the ${name} refresh token`] = secret
      secrets[`seal of the ${name} refresh token`] = seal
      tokens = await post('/oauth/token', { grant_type: 'refresh_token', refresh_token })
    }
    secrets['current refresh token'] = tokens.refresh_token

    const everything = (await everythingIn(server.client)).join('\n')
    t.match(everything, 'approved', 'looked at the contents')
    t.match(everything, digestOf(tokens.refresh_token), 'at those of refresh tokens too')
    for (const [name, secret] of Object.entries(secrets)) {
      t.ok(secret.length >= 4, `${name} is something`)
      t.notOk(everything.toLowerCase().includes(secret.toLowerCase()), `no ${name}`)
    }
  })

  t.test('is the same for no two secrets: user codes are kept under tags that need GRANTD_SECRET', async (t) => {
    await server.client.flushall()
    const service = await startApp(t, { REDIS_URL: server.url, SIGNING_ALG: 'ES256' })
    const { user_code } = await service.start()
    const everything = (await everythingIn(server.client)).join('\n')
    const { createHash } = await import('node:crypto')
    for (const text of [user_code, user_code.replace('-', '')]) {
      const digest = createHash('sha256').update(text).digest()
      for (const encoding of ['hex', 'base64url', 'base64'] as const) {
        t.notOk(everything.includes(digest.toString(encoding).slice(0, 20)), `no plain ${encoding} digest of it`)
      }
    }
  })
})

/** Returns every key with its value, whatever its type. */
async function everythingIn(client: Redis): Promise<string[]> {
  const found: string[] = []
  for (const key of await client.keys('*')) {
    found.push(key)
    const type = await client.type(key)
    if (type === 'string') found.push((await client.get(key)) ?? '')
    else if (type === 'hash') found.push(...Object.entries(await client.hgetall(key)).flat())
    else if (type === 'zset') found.push(...(await client.zrange(key, '0', '-1', 'WITHSCORES')))
    else if (type === 'stream') found.push(...(await client.xrange(key, '-', '+')).flat(2))
    else throw new Error(`${key} is of the unexpected type ${type}`)
  }
  return found
}

t.test('keys', async (t) => {
  const odd = [
    'alice',
    'a{b',
    'a}b',
    '{}',
    '}{',
    '{a}',
    '}',
    '{',
    ':',
    'a:b:{c}',
    '*',
    '日本語',
    '🔑',
    'ü{ü}',
    ' ',
    '\n',
    '\u0000',
    '%7B'
  ]

  t.test('of one script are in one slot of a cluster, whatever a user is called', async (t) => {
    // The default cluster port is 10,000 above the port and may belong to another program.
    const cluster = await startRedis('--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`)
    t.teardown(() => cluster.stop())
    const slotOf = (key: string) => cluster.client.cluster('KEYSLOT', key)
    for (const prefix of ['', 'grantd:', 'a.b-c_d:']) {
      const keys = createKeys(prefix)
      for (const parent of odd) {
        const index = await slotOf(keys.recordIndex('authorized-client', parent))
        for (const id of odd) {
          t.equal(
            await slotOf(keys.record('authorized-client', parent, id)),
            index,
            encodeURIComponent(`${parent} ${id}`)
          )
        }
      }
    }
    const { grant, decisions, decisionChannels, fence } = createKeys('grantd:', 'by-group')
    for (const digest of times(50, newDigest)) {
      t.equal(await slotOf(decisions(digest)), await slotOf(grant(digest)), 'a grant and what is said of it')
      t.ok(decisionChannels.includes(decisions(digest)))
    }
    for (const key of [grant('ab'), 'grantd:user-code:x', 'grantd:x:{a%7Bb}', 'grantd:signing-keys']) {
      t.equal(await slotOf(fence(key)), await slotOf(key), `a fence for ${key}`)
    }
    const slots = new Set(
      await Promise.all(odd.map((parent) => slotOf(createKeys('grantd:').recordIndex('x', parent))))
    )
    t.ok(slots.size > odd.length / 2, 'and different users are spread')
  })

  t.test('of different things are different', async (t) => {
    const { record, recordIndex, grant, userCode, refreshFamily, limit, signingKeys, decisionChannels } = createKeys(
      'grantd:',
      'by-group'
    )
    const all = odd.flatMap((a) => [
      ...[recordIndex('kind', a), grant(`g${a}`), userCode(`u${a}`), refreshFamily(`r${a}`), limit(`l${a}`)],
      ...odd.map((b) => record('kind', a, b))
    ])
    all.push(signingKeys(), ...odd.map((owner) => signingKeys(owner)), ...decisionChannels)
    t.equal(new Set(all).size, all.length)
    t.ok(all.every((key) => key.startsWith('grantd:')))
  })
})

t.test('a call in the moment in which the connection breaks says that there is none', async (t) => {
  const redis = server.client.duplicate({ enableOfflineQueue: false, maxRetriesPerRequest: 0, lazyConnect: false })
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  const watch = createWatch({ withinMs: PATIENT_MS, observe() {} })
  t.teardown(() => watch.stop())
  redis.stream.destroy()
  t.equal(redis.status, 'ready', 'which nobody was told yet')
  await t.rejects(watch.over('get', redis.get('x')), { code: 'unavailable', detail: 'not connected to Redis' })
})

t.test('a server that is replaced while its keys are looked through', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const { storage, clock, prefix } = await startRedisEngine(t, server)
  const { authorizations, keyspace } = storage
  const restart = async () => {
    await server.kill()
    await server.start()
  }

  t.test('leaves out nothing that stays behind a record, whatever goes or comes beside it', async (t) => {
    const create = (id: string) => authorizations.create(`of ${id}`, id, { id }, clock() + 2_592_000_000)
    const ids = times(160, (i) => `${i}`)
    await Promise.all(ids.map(create))
    const gone = new Set<string>()
    const goOn = async (change: (found: readonly string[]) => Promise<unknown>) => {
      const { records } = await authorizations.scan({ after: undefined, most: 40 })
      const kept = records.slice(0, 8)
      const found = new Set(kept.map(({ id }) => id))
      await change([...found])
      let after = kept.at(-1)?.position
      while (after !== undefined) {
        const part = await authorizations.scan({ after, most: 40 })
        for (const { id } of part.records) found.add(id)
        after = part.next
      }
      return ids.filter((id) => !gone.has(id) && !found.has(id))
    }
    const withoutThem = await goOn((found) => {
      for (const id of found) gone.add(id)
      return Promise.all(found.map((id) => authorizations.delete(`of ${id}`, id)))
    })
    t.strictSame(withoutThem, [], 'a step reaches further when keys of it are gone')
    t.strictSame(await goOn(() => Promise.all(times(300, (i) => create(`new ${i}`)))), [])
    await server.client.flushall()
  })

  t.test('is looked through anew, so that no record is left out', async (t) => {
    const ids = times(300, (i) => `${i}`)
    await Promise.all(ids.map((id) => authorizations.create(`of ${id}`, id, { id }, clock() + 2_592_000_000)))
    const found = new Set<string>()
    let after: string | undefined
    let restarts = 0
    do {
      const part = await authorizations.scan({ after, most: 20 })
      for (const { id } of part.records) found.add(id)
      after = part.next
      if (found.size < 120 * (restarts + 1) || restarts === 2) continue
      restarts += 1
      await restart()
      await until(() => storage.check())
    } while (after !== undefined)
    t.equal(restarts, 2)
    t.strictSame([...found].sort(), ids.toSorted())
  })

  t.test('ends a walk of all keys, which says to begin it again', async (t) => {
    await server.client.eval("for i = 1, 5000 do redis.call('SET', ARGV[1] .. i, 'x') end", 0, `${prefix}lock:`)
    let steps = 0
    const walk = keyspace?.walk(['lock'], async () => {
      steps += 1
      await restart()
      // The walk's own connection is there again: it could go on without noticing.
      await until(async () => String(await server.client.client('LIST')).includes('name=grantd-keyspace'))
    })
    await t.rejects(walk ?? Promise.resolve(), { message: /run it again$/ })
    t.equal(steps, 1)
    let seen = 0
    await keyspace?.walk(['lock'], async ({ length }) => {
      seen += length
    })
    t.ok(seen >= 5_000, `${seen} keys`)
  })
})

t.test('a Redis that must not be used', async (t) => {
  t.test('is refused at the start when it may drop keys', async (t) => {
    const evicting = await startRedis('--maxmemory-policy', 'allkeys-lru')
    t.teardown(() => evicting.stop())
    const log = { info() {}, warn() {} }
    const redis = redisConfig(at(evicting.url), { timeoutMs: PATIENT_MS })
    const storage = createRedisStorage({ redis, clock: Date.now, log, observe() {} })
    t.teardown(() => storage.close())
    // A start does not wait for long until it is connected, and would go on without Redis.
    await until(() => storage.check().catch(({ detail }) => /maxmemory-policy/.test(detail)))
    await t.rejects(storage.open(), /maxmemory-policy allkeys-lru/)
  })

  t.test('makes the check fail when it turns into one later', async (t) => {
    const engine = await start(t)
    await t.resolves(engine.storage.check())
    await server.client.config('SET', 'maxmemory-policy', 'volatile-ttl')
    t.teardown(() => server.client.config('SET', 'maxmemory-policy', 'noeviction'))
    await t.rejects(engine.storage.check(), { name: 'Fault', code: 'unavailable', detail: /volatile-ttl/ })
  })

  t.test('because its user may do too little is away, for scripts and plain commands alike', async (t) => {
    const rights = '>secret ~* &* +eval +evalsha +info +ping +subscribe +client|setname'
    await server.client.call('ACL', 'SETUSER', 'weak', 'reset', 'on', ...rights.split(' '))
    t.teardown(() => server.client.call('ACL', 'DELUSER', 'weak'))
    const redis = redisConfig(at(server.url.replace('//', '//weak:secret@')), { timeoutMs: PATIENT_MS })
    const storage = createRedisStorage({ redis, clock: Date.now, log: { info() {}, warn() {} }, observe() {} })
    t.teardown(() => storage.close())
    await storage.open()
    const { grants, authorizations, limits, locks, revocations, signingKeys } = storage
    const grant = { request: requestOf(), clientTag: CLIENT_TAG, lifeMs: LIFE_MS, intervalMs: INTERVAL_MS }
    const asked: Record<string, () => Promise<unknown>> = {
      create: () => grants.create(newDigest(), newTag(), grant),
      poll: () => grants.poll(newDigest(), CLIENT_TAG),
      find: () => grants.find(newTag()),
      decide: () => grants.decide(newDigest(), decisionOf()),
      collect: () => grants.collect(newDigest()),
      'create a record': () => authorizations.create('ann', 'id', { a: 'b' }, Date.now() + LIFE_MS),
      'get a record': () => authorizations.get('ann', 'id'),
      'change a record': () => authorizations.change('ann', 'id', { set: { a: 'c' } }),
      'list records': () => authorizations.page('ann', { order: 'first-to-end', most: 1 }),
      'take a place': () => limits.take('limit', 'run', 1, 1_000),
      'take a lock': () => locks.acquire('lock', 'holder', 1_000),
      'head of the feed': () => revocations.head(),
      'signing keys': () => signingKeys.list()
    }
    for (const [name, ask] of Object.entries(asked))
      await t.rejects(ask(), { name: 'Fault', code: 'unavailable' }, name)
  })
})

t.test('every script opens with what it does, its keys, its arguments and its verdicts', async (t) => {
  const folder = inRoot('src/storage/redis/scripts')
  const files = readdirSync(folder).filter((file) => file !== 'prologue.lua')
  t.ok(files.length >= 11)
  for (const file of files) {
    const lua = readFileSync(join(folder, file), 'utf8')
    t.match(
      lua,
      /^(#![^\n]+\n)?-- [A-Z][^\n]+\n(--[^\n]*\n)*-- KEYS 1: [^\n]+\n(--[^\n]*\n)*-- ARGV 1: [^\n]+\n(--[^\n]*\n)*-- Returns /,
      file
    )
  }
})
