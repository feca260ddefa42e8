/**
 * npm run bench -- --against COMMIT: measures polls of this build against those of another commit, in alternating rounds: at full
 * speed, at steady paces, and over a Cluster.
 */
import type { RedisConfig } from '../src/config/redis.js'
import { startCluster } from '../test/support/redis-cluster.js'
import { addressesOf } from '../test/support/redis-config.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { createGrants } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, type Delays, POLL_PATH, postCodes, postSteadily } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { buildCommit } from './support/other-build.js'
import { startBenchRedis, startGrantd, type Target } from './support/processes.js'
import { type Figure, median, medianRatio, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

/** Polls a second, from a quiet service to a quarter of what one core can answer. */
const PACES = [500, 2_000, 8_000] as const
/** The pace at which the targets hold. */
const USUAL_PACE = 2_000
const PACE_SECONDS = 3
const PRIMARIES = 3

/** A build over a Redis of its own, and what it cost in each round. */
interface Side {
  name: string
  service: Target
  redis: RedisServer | RedisServer[]
  place: string | RedisConfig['place']
}

export async function benchAgainst(lifetime: Lifetime, { rounds, polls }: Sizes, commit: string): Promise<Section> {
  const builds = { now: undefined, before: buildCommit(lifetime, commit) }
  const full = await compareFullSpeed(lifetime, await overOne(lifetime, builds), rounds, polls)
  await lifetime.endSection()
  const sides = await overOne(lifetime, builds)
  const steady = new Map<number, Steady[][]>()
  for (const pace of PACES) steady.set(pace, await comparePace(lifetime, sides, rounds, pace))
  await lifetime.endSection()
  const cluster = await compareFullSpeed(lifetime, await overCluster(lifetime, builds), rounds, polls)

  return {
    title: `14. Polls of this build against those of ${commit}`,
    how:
      `${rounds} rounds, alternating; a ratio is the median of those of each round. Each build has a Redis of its own with AOF. ` +
      `${polls.toLocaleString('en')} first polls of unique grants as fast as ${CONNECTIONS} connections of wrk get answers; then ${PACE_SECONDS} s at each of the steady paces, where each ` +
      `grant asks for half a second between polls; then the same as at first over a Cluster of ${PRIMARIES} primaries. Verified: all ` +
      'polls were answered as pending, and each wrote its grant once.',
    figures: [
      ...fullFigures('', full, { perSecond: 1.35, redis: 0.5 }),
      ...PACES.flatMap((pace) => paceFigures(pace, steady.get(pace) ?? [])),
      ...fullFigures(', Cluster', cluster, { redis: 0.8 })
    ]
  }
}

type Builds = Readonly<Record<string, string | undefined>>

async function overOne(lifetime: Lifetime, builds: Builds): Promise<Side[]> {
  const sides: Side[] = []
  for (const [name, server] of Object.entries(builds)) {
    const redis = await startBenchRedis(lifetime, 'yes')
    const service = await startGrantd(lifetime, redis, {}, server)
    sides.push({ name, service, redis, place: redis.url })
  }
  return sides
}

async function overCluster(lifetime: Lifetime, builds: Builds): Promise<Side[]> {
  const sides: Side[] = []
  for (const [name, server] of Object.entries(builds)) {
    const cluster = await startCluster({ primaries: PRIMARIES, options: ['--auto-aof-rewrite-percentage', '0'] })
    lifetime.ends(() => cluster.stop())
    const variables = { REDIS_URL: '', REDIS_CLUSTER: cluster.seeds }
    const service = await startGrantd(lifetime, cluster.nodes[0] as RedisServer, variables, server)
    sides.push({ name, service, redis: cluster.nodes, place: { kind: 'cluster', seeds: addressesOf(cluster.seeds) } })
  }
  return sides
}

/** Resolves to the rounds of each side, in the order of the sides. A round more comes first, to warm up. */
async function inRounds<T>(sides: readonly Side[], rounds: number, run: (side: Side) => Promise<T>): Promise<T[][]> {
  const results = new Map<Side, T[]>(sides.map((side) => [side, []]))
  for (let i = -1; i < rounds; i++) {
    // The order alternates, so that a change in the speed of the machine favours neither side.
    for (const side of i % 2 === 0 ? sides : sides.toReversed()) {
      const result = await run(side)
      if (i >= 0) results.get(side)?.push(result)
    }
  }
  return [...results.values()]
}

function compareFullSpeed(
  lifetime: Lifetime,
  sides: readonly Side[],
  rounds: number,
  polls: number
): Promise<Round[][]> {
  return inRounds(sides, rounds, async ({ service, redis, place }) => {
    const codes = await createGrants(place, polls)
    const measured = { redis, pids: [service.pid], command: 'setrange' } as const
    const round = await measure(measured, () => postCodes(lifetime, service.url + POLL_PATH, codes))
    assertPending([round])
    return round
  })
}

interface Steady extends Round {
  delays: Delays
}

async function comparePace(
  lifetime: Lifetime,
  sides: readonly Side[],
  rounds: number,
  pace: number
): Promise<Steady[][]> {
  const codesOf = new Map<Side, string[]>()
  // With so many grants and half a second between their polls none is too early.
  for (const side of sides) codesOf.set(side, await createGrants(side.place, pace * 2, { intervalMs: 500 }))
  return inRounds(sides, rounds, async (side) => {
    const { service, redis } = side
    let delays: Delays = { p50: 0, p99: 0 }
    const round = await measure({ redis, pids: [service.pid], command: 'setrange' }, async () => {
      delays = await postSteadily(lifetime, service.url + POLL_PATH, codesOf.get(side) ?? [], pace, PACE_SECONDS)
    })
    assertPending([round])
    return { ...round, delays }
  })
}

interface Bounds {
  /** Of the rates, now / before. */
  perSecond?: number
  /** Of the CPU of Redis, now / before. */
  redis?: number
}

function fullFigures(where: string, [now = [], before = []]: Round[][], bounds: Bounds): Figure[] {
  const rates = (all: Round[]) => all.map(({ perCpuSecond }) => perCpuSecond)
  const redis = (all: Round[]) => all.map(({ redisMicros }) => redisMicros)
  return [
    { name: `now${where}`, value: median(rates(now)), unit: 'polls per CPU-second' },
    { name: `before${where}`, value: median(rates(before)), unit: 'polls per CPU-second' },
    ratio(
      `polls per CPU-second${where}`,
      rates(now),
      rates(before),
      bounds.perSecond ? { atLeast: bounds.perSecond } : undefined
    ),
    { name: `redis, now${where}`, value: median(redis(now)), unit: 'µs of CPU per poll' },
    { name: `redis, before${where}`, value: median(redis(before)), unit: 'µs of CPU per poll' },
    ratio(`redis per poll${where}`, redis(now), redis(before), bounds.redis ? { atMost: bounds.redis } : undefined),
    ...[...now.entries()].map(([i, round]) => ({
      name: `now${where}, round ${i + 1}`,
      value: round.perCpuSecond,
      unit: 'polls per CPU-second'
    })),
    ...[...before.entries()].map(([i, round]) => ({
      name: `before${where}, round ${i + 1}`,
      value: round.perCpuSecond,
      unit: 'polls per CPU-second'
    }))
  ]
}

function paceFigures(pace: number, [now = [], before = []]: Steady[][]): Figure[] {
  const at = `, ${pace.toLocaleString('en')} a second`
  const isUsual = pace === USUAL_PACE
  const costs = (all: Steady[]) => all.map(({ serverMicros, redisMicros }) => serverMicros + redisMicros)
  const p99 = (all: Steady[]) => all.map(({ delays }) => delays.p99)
  const p50 = (all: Steady[]) => all.map(({ delays }) => delays.p50)
  const unit = 'µs of CPU per poll'
  return [
    { name: `service and redis, now${at}`, value: median(costs(now)), unit },
    { name: `service and redis, before${at}`, value: median(costs(before)), unit },
    ratio(`service and redis${at}`, costs(now), costs(before), isUsual ? { atMost: 0.7 } : undefined),
    { name: `delay, p50, now${at}`, value: median(p50(now)), unit: 'ms' },
    { name: `delay, p50, before${at}`, value: median(p50(before)), unit: 'ms' },
    { name: `delay, p99, now${at}`, value: median(p99(now)), unit: 'ms', ...(isUsual && { target: { atMost: 10 } }) },
    { name: `delay, p99, before${at}`, value: median(p99(before)), unit: 'ms' },
    ratio(`delay, p99${at}`, p99(now), p99(before), isUsual ? { atMost: 1.2 } : undefined)
  ]
}

function ratio(name: string, now: number[], before: number[], target: Figure['target']): Figure {
  const value = medianRatio(now, before)
  return { name: `${name}, now / before`, value, unit: '', ...(target && { target }) }
}
