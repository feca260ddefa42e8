/** Measures one round from outside: the CPU time of the processes, and the commands that Redis has run. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.js'
import { cpuSeconds, redisCpuSeconds } from './cpu-time.js'

export interface Charged {
  /** The processes whose CPU is charged as a sum; Redis is charged separately. */
  pids: readonly number[]
  /** The servers of Redis, several for a Cluster. */
  redis: RedisServer | readonly RedisServer[] | undefined
}

export interface Cost {
  serverSeconds: number
  /** 0 if there is no Redis. */
  redisSeconds: number
  wallSeconds: number
}

export async function cpuOf({ pids, redis }: Charged, drive: () => Promise<void>): Promise<Cost> {
  const server = () => sum(pids.map(cpuSeconds))
  const ofRedis = async () => sum(await Promise.all(serversOf(redis).map(redisCpuSeconds)))
  const before = { server: server(), redis: await ofRedis() }
  const startedAt = performance.now()
  await drive()
  const wallSeconds = (performance.now() - startedAt) / 1000
  // The load may end while requests are still being answered. They count in the round, so their CPU must too.
  await sleep(100)
  const serverSeconds = server() - before.server
  return { serverSeconds, redisSeconds: (await ofRedis()) - before.redis, wallSeconds }
}

const serversOf = (redis: Charged['redis']) => (redis === undefined ? [] : [redis].flat())
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

export interface Round {
  /**
   * How often Redis ran `command`, also inside scripts. The load's and the server's own counts are not used, because they may
   * be wrong.
   */
  count: number
  serverMicros: number
  redisMicros: number
  /** Requests per CPU-second of the server. */
  perCpuSecond: number
  wallSeconds: number
  /** The calls of every command in this round, including those inside scripts. */
  calls: ReadonlyMap<string, number>
}

export interface Measured extends Charged {
  redis: RedisServer | readonly RedisServer[]
  /** The command that runs once per request: for a poll of a pending grant it is its write. */
  command: 'setrange' | 'get'
}

export async function measure({ redis, pids, command }: Measured, drive: () => Promise<void>): Promise<Round> {
  const before = await callsOf(redis)
  const { serverSeconds, redisSeconds, wallSeconds } = await cpuOf({ pids, redis }, drive)
  const after = await callsOf(redis)
  const calls = new Map([...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)]))
  const count = calls.get(command) ?? 0
  return {
    count,
    serverMicros: (serverSeconds / count) * 1e6,
    redisMicros: (redisSeconds / count) * 1e6,
    perCpuSecond: count / serverSeconds,
    wallSeconds,
    calls
  }
}

/** Reads the calls of each command from INFO commandstats, whose lines are `cmdstat_get:calls=12,usec=…`. */
async function callsOf(redis: Charged['redis']): Promise<Map<string, number>> {
  const calls = new Map<string, number>()
  for (const { client } of serversOf(redis)) {
    const text = await client.info('commandstats')
    for (const [, name = '', count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      calls.set(name, (calls.get(name) ?? 0) + Number(count))
    }
  }
  return calls
}

/** Throws unless every poll was answered as pending: any other reads its grant and does not write, or writes a new interval. */
export function assertPending(rounds: Round[]): void {
  for (const { calls, count } of rounds) {
    const [reads, writes] = [calls.get('getrange'), calls.get('setrange')]
    if (count === 0 || reads !== count || writes !== count) {
      throw new Error(`${count} polls read ${reads} and wrote ${writes} times: they were not all answered as pending`)
    }
  }
}
