/** One round: something is driven, and what it cost is read from outside: CPU of the processes, commands Redis has run. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.js'
import { cpuSeconds, redisCpuSeconds } from './cpu-time.js'

export interface Round {
  /** How often Redis ran the command that was asked for. Nobody's own count is trusted. */
  count: number
  serverMicros: number
  redisMicros: number
  /** Per CPU-second of the server. */
  perCpuSecond: number
  wallSeconds: number
  /** Calls of each command meanwhile, those inside scripts included. */
  calls: ReadonlyMap<string, number>
}

export interface Measured {
  redis: RedisServer
  /** Whose CPU is charged besides Redis's. */
  pid: number
  /** The command that stands for one request. */
  command: 'evalsha' | 'get'
}

export async function measure({ redis, pid, command }: Measured, drive: () => Promise<void>): Promise<Round> {
  const before = { calls: await callsOf(redis), server: cpuSeconds(pid), redis: await redisCpuSeconds(redis) }
  const startedAt = performance.now()
  await drive()
  const wallSeconds = (performance.now() - startedAt) / 1000
  // The load ends with requests under way: their cost belongs to the round, as they are counted in it.
  await sleep(100)
  const server = cpuSeconds(pid) - before.server
  const redisSeconds = (await redisCpuSeconds(redis)) - before.redis
  const after = await callsOf(redis)
  const calls = new Map([...after].map(([name, count]) => [name, count - (before.calls.get(name) ?? 0)]))
  const count = calls.get(command) ?? 0
  return {
    count,
    serverMicros: (server / count) * 1e6,
    redisMicros: (redisSeconds / count) * 1e6,
    perCpuSecond: count / server,
    wallSeconds,
    calls
  }
}

/** From INFO commandstats: `cmdstat_get:calls=12,usec=…`. */
async function callsOf({ client }: RedisServer): Promise<Map<string, number>> {
  const text = await client.info('commandstats')
  return new Map(
    [...text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = '', count]) => [name, Number(count)])
  )
}

/** A poll that is answered as pending reads the grant's head and writes once; any other verdict leaves other traces. */
export function assertPending(rounds: Round[]): void {
  for (const { calls, count } of rounds) {
    const [reads, writes] = [calls.get('getrange'), calls.get('setrange')]
    if (count === 0 || reads !== count || writes !== count) {
      throw new Error(`${count} polls read ${reads} and wrote ${writes} times: they were not all answered as pending`)
    }
  }
}
