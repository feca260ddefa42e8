/** Redis for the contract suites: the servers of a test file, and two instances over them. */
import type { Test } from 'tap'
import type { RedisConfig } from '../../src/config/redis.js'
import type { Storage } from '../../src/core/storage.js'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { PATIENT, type TestClock, testClock } from '../support/app.js'
import { at, redisConfig } from '../support/redis-config.js'
import type { RedisServer } from '../support/redis-server.js'
import { until } from '../support/until.js'
import type { Engine, StartEngine } from './engine.js'

/** Shortens the life of every key by a time, and what indexes say of it, as if that time had passed. */
const AGE = `
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
      if left <= tonumber(ARGV[2]) then redis.call('DEL', key) else redis.call('PEXPIRE', key, left - ARGV[2]) end
    end
    -- The index of a parent is a key that ends with its hash tag.
    if string.sub(key, -1) == '}' and redis.call('TYPE', key).ok == 'zset' then
      for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[2], id) end
    end
  end`

let started = 0

export interface RedisEngine extends Engine {
  prefix: string
  /** Returns all keys of this test with their remaining life in ms; -1 is no expiry. */
  lives(): Promise<Map<string, number>>
}

/**
 * Makes the engine for one server: every test gets two instances under a new prefix. Tests about how long Redis may be
 * silent pass IMPATIENT.
 */
export async function startRedisEngine(t: Test, server: RedisServer, patience = PATIENT): Promise<RedisEngine> {
  const prefix = `test-${started++}:`
  const clock = testClock()
  const open = () => openStorage(t, redisConfig(at(server.url), { prefix }), clock, patience)
  return {
    ...{ storage: await open(), other: await open(), clock, prefix },
    pass: (ms) => age([server], prefix, clock, ms),
    async lives() {
      const keys = await server.client.keys(`${prefix}*`)
      return new Map(await Promise.all(keys.map(async (key) => [key, await server.client.pttl(key)] as const)))
    }
  }
}

/**
 * Makes the engine for several servers, which take long to open: all tests share two instances, and each begins with
 * empty servers. `primaries` are the servers that have keys.
 */
export async function shareRedisEngine(
  t: Test,
  config: RedisConfig,
  primaries: () => Promise<RedisServer[]>
): Promise<StartEngine> {
  const clock = testClock()
  const [storage, other] = [await openStorage(t, config, clock), await openStorage(t, config, clock)]
  return async () => {
    const servers = await primaries()
    await Promise.all(servers.map(({ client }) => client.flushall()))
    return { storage, other, clock, pass: (ms) => age(servers, config.prefix, clock, ms) }
  }
}

/**
 * Opens an instance, and waits until it is connected: a start waits three seconds for Redis, which are not enough on a machine that is
 * very busy.
 */
export async function openStorage(t: Test, redis: RedisConfig, clock: TestClock, patience = PATIENT): Promise<Storage> {
  const log = { info() {}, warn() {} }
  const storage = createRedisStorage({
    redis: { ...redis, timeoutMs: Number(patience.REDIS_TIMEOUT_MS) },
    clock,
    log,
    observe() {},
    testClock: clock
  })
  t.teardown(() => storage.close())
  await storage.open()
  const isConnected = () =>
    storage.check().then(
      () => storage.decisions.isUp(),
      () => false
    )
  await until(isConnected)
  return storage
}

/** Lets time pass for the clock and for what these servers hold under a prefix. */
export async function age(servers: RedisServer[], prefix: string, clock: TestClock, ms: number): Promise<void> {
  clock.advance(ms)
  await Promise.all(servers.map(({ client }) => client.eval(AGE, 0, `${prefix}*`, ms)))
}
