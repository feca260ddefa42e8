/** Redis for the contract suites: one server per file, a prefix for each test. */
import type { Test } from 'tap'
import { createRedisStorage } from '../../src/storage/redis/index.js'
import { testClock } from '../support/app.js'
import { at, redisConfig } from '../support/redis-config.js'
import type { RedisServer } from '../support/redis-server.js'
import type { Engine } from './engine.js'

/** Takes a time from the life of every key, as if it had passed. */
const AGE = `
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
      if left <= tonumber(ARGV[2]) then redis.call('DEL', key) else redis.call('PEXPIRE', key, left - ARGV[2]) end
    end
  end`

let started = 0

export interface RedisEngine extends Engine {
  prefix: string
  /** All keys of this test with the time they have left in ms; -1 for ever. */
  lives(): Promise<Map<string, number>>
}

export async function startRedisEngine(t: Test, server: RedisServer): Promise<RedisEngine> {
  const { client, url } = server
  const prefix = `test-${started++}:`
  const clock = testClock()
  const open = async () => {
    const log = { info() {}, warn() {} }
    const storage = createRedisStorage({
      redis: redisConfig(at(url), { prefix }),
      clock,
      log,
      observe() {},
      testClock: clock
    })
    t.teardown(() => storage.close())
    await storage.open()
    return storage
  }
  return {
    storage: await open(),
    other: await open(),
    clock,
    prefix,
    async pass(ms) {
      clock.advance(ms)
      await client.eval(AGE, 0, `${prefix}*`, ms)
    },
    async lives() {
      const keys = await client.keys(`${prefix}*`)
      return new Map(await Promise.all(keys.map(async (key) => [key, await client.pttl(key)] as const)))
    }
  }
}
