/** Measures whether a poll costs more when a thousand times as many grants are pending. */
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

export async function benchScale(lifetime: Lifetime, { rounds, polls, pending }: Sizes): Promise<Section> {
  const sides: Side[] = []
  for (const grants of pending) {
    const redis = await startBenchRedis(lifetime, 'no')
    // At an interval of 500 ms no poll is too early, so every poll is answered `pending`, however often a grant is
    // polled.
    const codes = await createGrants(redis.url, grants, { intervalMs: 500 })
    sides.push({ redis, service: await startGrantd(lifetime, redis), codes, rounds: [] })
  }
  for (const { service, codes } of sides) await postCodes(lifetime, service.url + POLL_PATH, choose(codes, polls))

  for (let i = 0; i < rounds; i++) {
    for (const { redis, service, codes, rounds: all } of i % 2 === 0 ? sides : sides.toReversed()) {
      const chosen = choose(codes, polls)
      const round = await measure({ redis, pids: [service.pid], command: 'setrange' }, () =>
        postCodes(lifetime, service.url + POLL_PATH, chosen)
      )
      all.push(round)
    }
  }
  assertPending(sides.flatMap((side) => side.rounds))

  const count = (number: number) => number.toLocaleString('en')
  const costs = sides.map(({ codes, rounds: all }) => ({
    grants: count(codes.length),
    service: median(all.map(({ serverMicros }) => serverMicros)),
    redis: median(all.map(({ redisMicros }) => redisMicros)),
    total: median(all.map(({ serverMicros, redisMicros }) => serverMicros + redisMicros))
  }))
  const [few, many] = [costs.at(0) as Costs, costs.at(-1) as Costs]
  return {
    title: `4. Cost of a poll with ${few.grants} to ${many.grants} grants pending`,
    how:
      `A service over a Redis of its own for each number; ${rounds} rounds of ${count(polls)} polls, alternating, at ` +
      `${CONNECTIONS} connections. All sides see the same verdict: the grants ask for half a second between polls, which the ` +
      'allowance for fast clocks covers, so that every poll is in time, is answered as pending and writes once (verified by ' +
      'the commands Redis ran). Few grants are polled in turn, of many each round takes others at random.',
    figures: [
      ...(['service', 'redis', 'total'] as const).flatMap((part) =>
        costs.map((cost) => ({ name: `${part}, ${cost.grants} grants`, value: cost[part], unit: 'µs of CPU per poll' }))
      ),
      {
        name: `total, ${many.grants} / ${few.grants}`,
        value: many.total / few.total,
        unit: '',
        target: { atMost: 1.1 }
      }
    ]
  }
}

interface Costs {
  grants: string
  service: number
  redis: number
  total: number
}

/** Chooses `count` codes: repeats the list if it is shorter, otherwise picks at random. */
function choose(codes: string[], count: number): string[] {
  if (codes.length <= count) return repeat(codes, count)
  return Array.from({ length: count }, () => codes[Math.floor(Math.random() * codes.length)] as string)
}
