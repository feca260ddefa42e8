/**
 * How a connection finds its server: after Sentinels have promoted another primary, in whatever order it hears of that, and by a name
 * that takes long to look up.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { Storage } from '../../src/core/storage.js'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { connectorBy, shareLookups } from '../../src/storage/redis/lookups.js'
import { pendingGrant } from '../contract/decision-feed.js'
import { PATIENT_MS, redisConfig } from '../support/redis-config.js'
import { type RedisServer, startRedis } from '../support/redis-server.js'
import { startToldSentinel, type ToldSentinel } from '../support/told-sentinel.js'
import { until } from '../support/until.js'

const NAME = 'grants'
/** An announcement this much earlier than an answer is also read earlier, even from another connection. */
const BEFORE_MS = 50

interface Scene {
  storage: Storage
  sentinel: ToldSentinel
  warnings: string[]
  /** The old primary, and the server that is promoted. */
  old: RedisServer
  next: RedisServer
}

async function start(t: Test): Promise<Scene> {
  const [old, next] = await Promise.all([startRedis(), startRedis()])
  t.teardown(() => Promise.all([old.stop(), next.stop()]))
  const sentinel = await startToldSentinel(t, old.port)
  const place = { kind: 'sentinel', sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: NAME } as const
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const storage = createRedisStorage({
    redis: redisConfig(place, { timeoutMs: PATIENT_MS }),
    clock: Date.now,
    log: { info() {}, warn },
    observe() {}
  })
  t.teardown(() => storage.close())
  await storage.open()
  await storage.check()
  await until(async () => sentinel.listeners() > 0)
  return { storage, sentinel, warnings, old, next }
}

/** Returns the ids of the storage's connections to a server. Redis never gives an id twice. */
async function connectionsTo({ client }: RedisServer): Promise<string[]> {
  const lines = String(await client.client('LIST')).split('\n')
  return lines.filter((line) => / name=grantd/.test(line)).map((line) => /^id=(\d+)/.exec(line)?.[1] as string)
}

/** Resolves when a server has no connection of the storage any more. It takes note of closed ones in its own time. */
const untilLeft = (server: RedisServer) => until(async () => (await connectionsTo(server)).length === 0)

const isUsable = ({ decisions, ...storage }: Storage) =>
  storage.check().then(
    () => decisions.isUp(),
    () => false
  )

t.test('told of it while the next primary is being asked for, it connects all the same', async (t) => {
  const { storage, sentinel, old, next } = await start(t)
  const asked = sentinel.hold()
  await old.kill()
  await asked
  sentinel.name(next.port)
  sentinel.announce(NAME, old.port, next.port)
  await sleep(BEFORE_MS)
  sentinel.release()
  await until(() => isUsable(storage))
  t.match(await pendingGrant(storage), /./)
  t.equal((await connectionsTo(next)).length, 2)
})

t.test('told of it when it is there already, it stays', async (t) => {
  const { storage, sentinel, old, next } = await start(t)
  sentinel.name(next.port)
  await old.kill()
  await until(() => isUsable(storage))
  const connections = await connectionsTo(next)
  await until(async () => sentinel.listeners() > 0)
  sentinel.announce(NAME, old.port, next.port)
  sentinel.announce('another', next.port, old.port)
  await pendingGrant(storage)
  await old.start()
  await pendingGrant(storage)
  t.same(await connectionsTo(next), connections)
})

t.test('a primary that hangs is left as soon as another has been chosen', async (t) => {
  const { storage, sentinel, warnings, old, next } = await start(t)
  process.kill(old.pid(), 'SIGSTOP')
  t.teardown(() => process.kill(old.pid(), 'SIGCONT'))
  sentinel.name(next.port)
  sentinel.announce(NAME, old.port, next.port)
  await until(() => isUsable(storage))
  t.equal((await connectionsTo(next)).length, 2)
  // The connection was closed because of the announcement, before the silence of the old primary was noticed.
  t.match(warnings.at(-1), 'Sentinels have chosen another primary')
})

t.test('told of it when it has just been sent to the old one, it does not stay there', async (t) => {
  const { storage, sentinel, old, next } = await start(t)
  const asked = sentinel.hold()
  await old.kill()
  await asked
  await old.start()
  sentinel.announce(NAME, old.port, next.port)
  await sleep(BEFORE_MS)
  // This Sentinel still names the old primary.
  sentinel.release()
  sentinel.name(next.port)
  await until(() => isUsable(storage))
  t.equal((await connectionsTo(next)).length, 2)
  await untilLeft(old)
})

t.test('a promotion that it was not told of is heard of from a Sentinel that is heard again', async (t) => {
  const { storage, sentinel, warnings, old, next } = await start(t)
  const heardAgain = async () => {
    sentinel.lose()
    await until(async () => sentinel.listeners() > 0)
  }
  sentinel.name(next.port, 2)
  await heardAgain()
  await until(async () => (await isUsable(storage)) && (await connectionsTo(next)).length === 2)
  // The old primary has not gone away, nor said that it is none any more.
  await untilLeft(old)
  t.match(warnings.at(-1), 'Sentinels have chosen another primary')

  const connections = await connectionsTo(next)
  sentinel.name(old.port, 1)
  await heardAgain()
  await pendingGrant(storage)
  t.same(await connectionsTo(next), connections, 'one that knows of no newer election moves nothing')
})

t.test(
  'a promotion is heard of that is announced as soon as a Sentinel that is heard again has answered',
  async (t) => {
    const { storage, sentinel, old, next } = await start(t)
    sentinel.afterAnswer(() => {
      sentinel.name(next.port)
      sentinel.announce(NAME, old.port, next.port)
    })
    sentinel.lose()
    await until(async () => (await isUsable(storage)) && (await connectionsTo(next)).length === 2)
    await untilLeft(old)
  }
)

t.test('attempts to connect share a lookup that takes longer than each of them', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const waiting: ((address: string) => void)[] = []
  const failures: ((error: Error) => void)[] = []
  const resolve = ((_name: string, _options: object, done: (error: Error | null, found: object[]) => void) => {
    waiting.push((address) => done(null, [{ address, family: 4 }]))
    failures.push((error) => done(error, []))
  }) as unknown as Parameters<typeof shareLookups>[0]

  const redis = new Redis(server.port, 'redis.example', {
    Connector: connectorBy(shareLookups(resolve)),
    protocol: 2,
    connectTimeout: 20,
    retryStrategy: () => 1
  })
  t.teardown(() => redis.disconnect())
  const errors: string[] = []
  redis.on('error', ({ message }: Error) => errors.push(message))
  // events.once would reject at the first `error` event.
  const said = (event: string) => new Promise<void>((resolve) => redis.once(event, resolve))

  for (let attempts = 0; attempts < 3; attempts++) await said('reconnecting')
  t.equal(waiting.length, 1)
  failures[0]?.(new Error('no such name'))
  // A failure is not kept: the attempts after it have another lookup.
  await until(async () => waiting.length === 2)
  for (let attempts = 0; attempts < 3; attempts++) await said('reconnecting')
  t.equal(waiting.length, 2)
  const ready = said('ready')
  redis.options.connectTimeout = 10_000
  waiting[1]?.('127.0.0.1')
  await ready
  t.equal(await redis.ping(), 'PONG')
  t.equal(waiting.length, 2)
  t.ok(errors.length >= 6)
})
