/**
 * Measures what a poll costs Redis, in plain GETs of a key of the same length: through a server, and in pipelines sent
 * from here.
 */
import { Redis } from 'ioredis'
import type { RedisServer } from '../test/support/redis-server.js'
import { createGrants, grantKey } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, postCodes } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { NEVER_LATE, POLL_SCRIPT } from './support/poll-script.js'
import { startBenchRedis, startYardstick } from './support/processes.js'
import { type Figure, median, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

const PIPELINE = 20

interface Costs {
  polls: Round[]
  gets: Round[]
}

export async function benchRedisCost(lifetime: Lifetime, sizes: Sizes): Promise<Section> {
  const withFile = await costsOver(lifetime, await startBenchRedis(lifetime, 'yes'), sizes)
  await lifetime.endSection()
  const without = await costsOver(lifetime, await startBenchRedis(lifetime, 'no'), sizes)
  return {
    title: '2. CPU of Redis for a poll, in plain GETs',
    how:
      `${sizes.rounds} rounds of ${sizes.polls.toLocaleString('en')} each, alternating. Through the yardstick server at ` +
      `${CONNECTIONS} connections, both one command per request; and directly in pipelines of ${PIPELINE}. The GET reads one ` +
      "character under a key as long as a grant's. All polls are answered as pending and write once. With the append-only " +
      'file (AOF), to which a poll writes and a GET does not, and without.',
    figures: [
      ...figuresOf('through a server, AOF', withFile.server),
      ...figuresOf('through a server, no AOF', without.server),
      ...figuresOf(`pipelines of ${PIPELINE}, AOF`, withFile.direct),
      ...figuresOf(`pipelines of ${PIPELINE}, no AOF`, without.direct)
    ]
  }
}

async function costsOver(lifetime: Lifetime, redis: RedisServer, { rounds, polls }: Sizes) {
  const yardstick = await startYardstick(lifetime, redis)
  const client = new Redis(redis.url, { protocol: 2 })
  lifetime.ends(() => client.disconnect())
  const sha = (await client.script('LOAD', POLL_SCRIPT)) as string
  let pollId = 200_000_000_000

  // At an interval of 500 ms no poll of these grants is too early, so all rounds can share them.
  const grants = (await createGrants(redis.url, polls, { intervalMs: 500 })).map(grantKey)
  const values = await createValues(redis, grants)
  const post = (path: string, keys: string[]) => () => postCodes(lifetime, `${yardstick.url}${path}`, keys)
  const pipe = (keys: string[], add: (line: Pipeline, key: string) => unknown) => () => inPipelines(client, keys, add)

  const server: Costs = { polls: [], gets: [] }
  const direct: Costs = { polls: [], gets: [] }
  // The first round warms everything up and does not count.
  for (let i = 0; i <= rounds; i++) {
    const driven = { redis, pids: [yardstick.pid] }
    const own = { redis, pids: [process.pid] }
    server.gets[i] = await measure({ ...driven, command: 'get' }, post('/get', values))
    server.polls[i] = await measure({ ...driven, command: 'setrange' }, post('/poll', grants))
    const get = pipe(values, (line, key) => line.get(key))
    direct.gets[i] = await measure({ ...own, command: 'get' }, get)
    const poll = pipe(grants, (line, key) => line.evalsha(sha, 1, key, ++pollId, NEVER_LATE, 1, 'p*'))
    direct.polls[i] = await measure({ ...own, command: 'setrange' }, poll)
  }
  assertPending([...server.polls, ...direct.polls])
  return { server, direct }
}

/** Creates values of one character under keys of the same length as those of the grants. Returns the keys. */
async function createValues({ client }: RedisServer, likeKeys: string[]): Promise<string[]> {
  const values = likeKeys.map((key) => `value-${key.slice('value-'.length)}`)
  const line = client.pipeline()
  for (const key of values) line.set(key, '1', 'PX', 900_000)
  await line.exec()
  return values
}

type Pipeline = ReturnType<Redis['pipeline']>

async function inPipelines(client: Redis, keys: string[], add: (line: Pipeline, key: string) => unknown) {
  for (let i = 0; i < keys.length; i += PIPELINE) {
    const line = client.pipeline()
    for (const key of keys.slice(i, i + PIPELINE)) add(line, key)
    await line.exec()
  }
}

function figuresOf(how: string, { polls, gets }: Costs): Figure[] {
  const cost = (rounds: Round[]) => median(rounds.slice(1).map(({ redisMicros }) => redisMicros))
  const [poll, get] = [cost(polls), cost(gets)]
  return [
    { name: `poll, ${how}`, value: poll, unit: 'µs of Redis' },
    { name: `GET, ${how}`, value: get, unit: 'µs of Redis' },
    { name: `poll / GET, ${how}`, value: poll / get, unit: '', target: { atMost: 3 } }
  ]
}
