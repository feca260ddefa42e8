/** Measures whether a poll costs more when several instances of the service share one Redis. */
import type { RedisServer } from '../test/support/redis-server.js'
import { createGrants } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, JSON_POLL, POLL_PATH, postCodes } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { startBenchRedis, startGrantd, type Target } from './support/processes.js'
import { type Figure, median, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

const INSTANCES = 4
/** With this rest each instance gets about two thousand polls a second, a quarter of what one core can answer. */
const REST_MS = 32
/** Rounds with rests have fewer polls by this factor, because a round would take half a minute otherwise. */
const FEWER = 5

/** A set of instances over one Redis. Each instance gets the same load in every set. */
interface Set {
  name: string
  redis: RedisServer
  services: Target[]
  restMs: number
  /** The codes that each instance is polled with in a round. */
  codes: string[]
  rounds: Round[]
}

export async function benchInstances(lifetime: Lifetime, { rounds, polls }: Sizes): Promise<Section> {
  const start = async (instances: number, restMs: number): Promise<Set> => {
    const redis = await startBenchRedis(lifetime, 'yes')
    const services: Target[] = []
    while (services.length < instances) services.push(await startGrantd(lifetime, redis))
    // At an interval of 500 ms no poll of these grants is too early, so all instances and rounds can share them.
    const codes = await createGrants(redis.url, restMs > 0 ? polls / FEWER : polls, { intervalMs: 500 })
    const name = `${instances === 1 ? '1 instance' : `${instances} instances`}${restMs > 0 ? '' : ' at full speed'}`
    return { name, redis, services, restMs, codes, rounds: [] }
  }
  const [one, four] = [await start(1, REST_MS), await start(INSTANCES, REST_MS)]
  const [fastOne, fastFour] = [await start(1, 0), await start(INSTANCES, 0)]
  const sets = [one, four, fastOne, fastFour]

  for (const set of sets) await pollAll(lifetime, { ...set, restMs: 0 })
  for (let i = 0; i < rounds; i++) {
    for (const set of i % 2 === 0 ? sets : sets.toReversed()) {
      const { redis, services } = set
      const measured = { redis, pids: services.map(({ pid }) => pid), command: 'setrange' } as const
      set.rounds.push(await measure(measured, () => pollAll(lifetime, set)))
    }
  }
  assertPending(sets.flatMap((set) => set.rounds))

  const total = (set: Set) => cost(set, ({ serverMicros, redisMicros }) => serverMicros + redisMicros)
  const rate = ({ rounds: all }: Set) => Math.round(median(all.map(({ count, wallSeconds }) => count / wallSeconds)))
  const unit = 'µs of CPU per poll'
  return {
    title: `12. Cost of a poll with 1 and with ${INSTANCES} instances over one Redis`,
    how:
      `${rounds} rounds, alternating; each instance has a wrk of its own with ${CONNECTIONS} connections and the same load, alone ` +
      `or as one of ${INSTANCES}: ${(polls / FEWER).toLocaleString('en')} polls at a steady pace, ` +
      `${rate(one).toLocaleString('en')} a second for 1 and ${rate(four).toLocaleString('en')} for ${INSTANCES}; then ` +
      `${polls.toLocaleString('en')} as fast as they are answered, when more processes want to run than there are cores, and take ` +
      "turns in these cores' caches. CPU is that of all instances and of Redis, over all polls. Verified: all were answered as " +
      'pending and wrote once.',
    figures: [
      ...sets.flatMap((set): Figure[] => [
        { name: `service, ${set.name}`, value: cost(set, ({ serverMicros }) => serverMicros), unit },
        { name: `redis, ${set.name}`, value: cost(set, ({ redisMicros }) => redisMicros), unit },
        { name: `total, ${set.name}`, value: total(set), unit }
      ]),
      {
        name: `total, ${four.name} / ${one.name}`,
        value: total(four) / total(one),
        unit: '',
        target: { atMost: 1.05 }
      },
      { name: `total, ${fastFour.name} / ${fastOne.name}`, value: total(fastFour) / total(fastOne), unit: '' },
      ...sets.flatMap(({ name, rounds: all }) =>
        all.map((round, i) => ({
          name: `${name}, round ${i + 1}`,
          value: round.serverMicros + round.redisMicros,
          unit
        }))
      )
    ]
  }
}

function cost({ rounds }: Set, part: (round: Round) => number): number {
  return median(rounds.map(part))
}

/** Polls every grant once at every instance, at all instances at the same time. */
async function pollAll(lifetime: Lifetime, { services, codes, restMs }: Set): Promise<void> {
  // Each instance starts at another place of the list, so that no two poll the same grant at the same moment.
  const share = Math.ceil(codes.length / services.length)
  await Promise.all(
    services.map(({ url }, i) => {
      const turned = [...codes.slice(i * share), ...codes.slice(0, i * share)]
      return postCodes(lifetime, url + POLL_PATH, turned, JSON_POLL, restMs)
    })
  )
}
