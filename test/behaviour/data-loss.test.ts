/** A loss of data in Redis is noticed by instances that run, and what looks odd at their start: in the log, the metrics and the trail. */
import t, { type Test } from 'tap'
import type { DataLoss } from '../../src/core/marker/data-loss.js'
import { GRANTD_SECRET, PATIENT } from '../support/app.js'
import { eventsOf } from '../support/audit.js'
import { startConnectedApp } from '../support/oauth-app.js'
import { runProgram } from '../support/programs.js'
import { addRedisUser } from '../support/redis-acl.js'
import { startRedis } from '../support/redis-server.js'
import { DASHBOARD_SECRET } from '../support/tokens.js'
import { until } from '../support/until.js'

async function redisOf(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { username, password } = await addRedisUser([redis], 'a-password')
  return { redis, url: redis.url.replace('//', `//${username}:${password}@`) }
}

/** Starts an instance that has beaten once. */
async function instance(t: Test, REDIS_URL: string, advanceMs = 0) {
  const lines: { msg: string; how?: DataLoss }[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => void lines.push(JSON.parse(line)) } }
  const service = await startConnectedApp(t, { REDIS_URL }, { logger })
  const { dataWatch } = service.app.core
  // A start that has gone on without Redis, as on a machine that is very busy, does not beat: the next beat is that of the timer.
  await until(async () => {
    const marker = (await service.app.storage.markers.get('service', 'marker')) ?? {}
    return Object.keys(marker).some((name) => name.startsWith('beat:') && marker[name] === `${service.clock()}`)
  })
  // What the start began is over, and this test alone turns the clock.
  await dataWatch.stop()
  if (advanceMs > 0) service.clock.advance(advanceMs)
  return {
    ...service,
    beat: dataWatch.beat,
    seen: () => lines.flatMap(({ how }) => how ?? []),
    counted: async (how: DataLoss) => {
      const { body } = await service.call('GET', '/metrics')
      return Number(new RegExp(`^grantd_data_lost_total\\{how="${how}"\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0)
    },
    told: async () => (await eventsOf(service.app)).filter(({ type }) => type === 'data.lost')
  }
}

t.test('nothing is said of a Redis that is well, new or used by several', async (t) => {
  const { url } = await redisOf(t)
  const [here, there] = [await instance(t, url), await instance(t, url)]
  for (let i = 0; i < 3; i++) {
    for (const one of [here, there]) {
      one.clock.advance(10_000)
      await one.beat()
    }
  }
  t.same([...here.seen(), ...there.seen()], [])
  t.same(await here.told(), [])
  t.equal(await here.counted('replaced'), 0)
})

t.test('a Redis that was emptied is noticed by who runs', async (t) => {
  const { redis, url } = await redisOf(t)
  const { beat, seen, counted, told } = await instance(t, url)
  await redis.client.flushall()
  await beat()
  t.same(seen(), ['replaced'])
  t.equal(await counted('replaced'), 1)
  t.match(await told(), [{ type: 'data.lost', actor: 'service', detail: /^replaced: its marker is / }])
  await beat()
  t.same(seen(), ['replaced'], 'once')
})

t.test('a Redis that has gone back is noticed by who runs, whoever has used it since', async (t) => {
  const { redis, url } = await redisOf(t)
  const [here, there] = [await instance(t, url), await instance(t, url)]
  const key = 'grantd:marker:{service}:marker'
  const [old, ttl] = [await redis.client.dumpBuffer(key), await redis.client.pttl(key)]
  for (const one of [here, there]) {
    one.clock.advance(10_000)
    await one.beat()
  }
  await redis.client.restore(key, ttl, old as Buffer, 'REPLACE')
  await there.beat()
  await here.beat()
  t.same([here.seen(), there.seen()], [['gone_back'], ['gone_back']])
  t.equal((await here.told()).length, 2)
  await here.beat()
  t.same(here.seen(), ['gone_back'], 'once')
})

t.test('a beat whose answer is lost is no loss', async (t) => {
  const { url } = await redisOf(t)
  const { app, beat, seen, clock } = await instance(t, url)
  const { change } = app.storage.markers
  t.teardown(() => Object.assign(app.storage.markers, { change }))
  const { before } = app.storage.events
  // Of two commands the second one fails: the beat is noted, and nobody is told so.
  Object.assign(app.storage.events, {
    before: () => Promise.reject(Object.assign(new Error('away'), { name: 'Fault', code: 'unavailable' }))
  })
  clock.advance(10_000)
  await t.rejects(beat())
  Object.assign(app.storage.events, { before })
  clock.advance(10_000)
  await beat()
  t.same(seen(), [])
})

t.test('a trail that was taken away is noticed', async (t) => {
  const { redis, url } = await redisOf(t)
  const { beat, seen, collect } = await instance(t, url)
  await collect('ann')
  await beat()
  await redis.client.del('grantd:events')
  await beat()
  t.same(seen(), ['trail_lost'])
})

t.test('at its start an instance says that nobody was there, and restore clean that somebody was', async (t) => {
  const { redis, url } = await redisOf(t)
  await instance(t, url)
  const age = async () => {
    const old = String(Date.now() - 3_600_000)
    await redis.client.hset('grantd:marker:{service}:marker', 'atMs', old)
  }
  await age()
  const { seen, counted, told } = await instance(t, url)
  t.same(seen(), ['paused'])
  t.equal(await counted('paused'), 1)
  t.match(await told(), [{ detail: /^paused: it is as it was at \d{4}-/ }])

  await age()
  const variables = { ...PATIENT, GRANTD_SECRET, DASHBOARD_JWT_SECRET: DASHBOARD_SECRET, REDIS_URL: redis.url }
  t.equal((await runProgram('cli.js', ['restore', 'clean', '--keep-api-keys'], variables)).code, 0)
  t.same((await instance(t, url)).seen(), [])
})

t.test('keys of before without a marker are said at the start', async (t) => {
  const { redis, url } = await redisOf(t)
  const first = await instance(t, url)
  const kid = (await redis.client.hget('grantd:signing-keys', 'newest')) ?? ''
  const key = JSON.parse((await redis.client.hget('grantd:signing-keys', kid)) ?? '')
  await redis.client.hset(
    'grantd:signing-keys',
    kid,
    JSON.stringify({ ...key, createdAtMs: key.createdAtMs - 3_600_000 })
  )
  await redis.client.unlink('grantd:marker:{service}:marker', 'grantd:marker:{service}')
  t.same((await instance(t, url)).seen(), ['unmarked'])
  await first.beat()
  t.same(first.seen(), ['replaced'])
})
