/** Measures the bytes of Redis per pending grant, including its user code. */
import type { RedisServer } from '../test/support/redis-server.js'
import { createGrants, type GrantOptions } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { usedMemory } from './support/memory.js'
import { startBenchRedis } from './support/processes.js'
import type { Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

/** A location as a CDN edge reports it. */
const location = { text: 'San Francisco, California, US', country: 'US' }
const target = { atMost: 600 }

export async function benchMemory(lifetime: Lifetime, { grants, pending }: Sizes): Promise<Section> {
  const many = Math.max(...pending)
  const redis = await startBenchRedis(lifetime, 'no')
  // The first client and the first script allocate memory once, so one grant is created before anything is measured.
  await createGrants(redis.url, 1)

  const plain = await bytesPerGrant(redis, grants)
  const located = await bytesPerGrant(redis, grants, { location })
  const startedAt = performance.now()
  const manyPlain = await bytesPerGrant(redis, many)
  const seconds = (performance.now() - startedAt) / 1000

  const count = (number: number) => number.toLocaleString('en')
  return {
    title: '3. Bytes of Redis for a pending grant',
    how:
      'Growth of used_memory over so many grants made by the Redis grant store, user codes included, divided by their ' +
      `number: name, version, hostname, os and address of the client known. ${count(many)} took ${seconds.toFixed(0)} s.`,
    figures: [
      { name: `${count(grants)} grants`, value: plain, unit: 'bytes each', target },
      { name: `${count(grants)} grants with a location`, value: located, unit: 'bytes each', target },
      { name: `${count(many)} grants`, value: manyPlain, unit: 'bytes each', target }
    ]
  }
}

async function bytesPerGrant(redis: RedisServer, count: number, options?: GrantOptions): Promise<number> {
  await redis.client.flushall('SYNC')
  const before = await usedMemory(redis)
  await createGrants(redis.url, count, options)
  const bytes = (await usedMemory(redis)) - before
  const size = await redis.client.dbsize()
  if (size !== 2 * count) throw new Error(`${count} grants and their user codes are ${size} keys`)
  return bytes / count
}
