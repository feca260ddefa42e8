/** Whether a poll costs more when a thousand times as many grants are pending. */
import type { RedisServer } from '../test/support/redis-server.js'
import { createGrants } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, POLL_PATH, postCodes } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { startBenchRedis, startGrantd, type Target } from './support/processes.js'
import { median, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'
import { repeat } from './support/warm-up.js'

interface Side {
  redis: RedisServer
  service: Target
  codes: string[]
  rounds: Round[]
}

export async function benchScale(lifetime: Lifetime, { rounds, polls, few, many }: Sizes): Promise<Section> {
  const start = async (grants: number): Promise<Side> => {
    const redis = await startBenchRedis(lifetime, 'no')
    // At this interval every poll is in time: both sides get nothing but `pending`, however often a grant is polled.
    const codes = await createGrants(redis.url, grants, { intervalMs: 500 })
    const service = await startGrantd(lifetime, redis)
    return { redis, service, codes, rounds: [] }
  }
  const small = await start(few)
  const large = await start(many)
  for (const { service, codes } of [small, large])
    await postCodes(lifetime, service.url + POLL_PATH, choose(codes, polls))

  for (let i = 0; i < rounds; i++) {
    for (const side of i % 2 === 0 ? [small, large] : [large, small]) {
      const { redis, service, codes } = side
      const chosen = choose(codes, polls)
      side.rounds.push(
        await measure({ redis, pid: service.pid, command: 'evalsha' }, () =>
          postCodes(lifetime, service.url + POLL_PATH, chosen)
        )
      )
    }
  }
  assertPending([...small.rounds, ...large.rounds])

  const count = (number: number) => number.toLocaleString('en')
  const costs = [small, large].map(({ rounds: all }) => ({
    service: median(all.map(({ serverMicros }) => serverMicros)),
    redis: median(all.map(({ redisMicros }) => redisMicros)),
    total: median(all.map(({ serverMicros, redisMicros }) => serverMicros + redisMicros))
  })) as [Costs, Costs]
  const [of, ofMany] = costs
  return {
    title: `4. Cost of a poll with ${count(few)} and with ${count(many)} grants pending`,
    how:
      `Two services, each over a Redis of its own; ${rounds} rounds of ${count(polls)} polls, alternating, at ${CONNECTIONS} ` +
      'connections. Both sides see the same verdict: the grants ask for half a second between polls, which the allowance ' +
      'for fast clocks covers, so that every poll is in time, is answered as pending and writes once (verified by the ' +
      `commands Redis ran). The ${count(few)} are polled in turn, of the ${count(many)} each round takes others at random.`,
    figures: [
      ...(['service', 'redis', 'total'] as const).flatMap((part) => [
        { name: `${part}, ${count(few)} grants`, value: of[part], unit: 'µs of CPU per poll' },
        { name: `${part}, ${count(many)} grants`, value: ofMany[part], unit: 'µs of CPU per poll' }
      ]),
      {
        name: `total, ${count(many)} / ${count(few)}`,
        value: ofMany.total / of.total,
        unit: '',
        target: { atMost: 1.1 }
      }
    ]
  }
}

interface Costs {
  service: number
  redis: number
  total: number
}

/** So many codes: all of few in turn, or any of many. */
function choose(codes: string[], count: number): string[] {
  if (codes.length <= count) return repeat(codes, count)
  return Array.from({ length: count }, () => codes[Math.floor(Math.random() * codes.length)] as string)
}
