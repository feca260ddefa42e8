/**
 * Measures several sides that do the same, in alternating rounds: the work per CPU-second of each, and its cost in
 * Redis.
 */
import type { RedisServer } from '../../test/support/redis-server.js'
import { cpuOf } from './measure.js'
import { type Figure, median } from './report.js'

export interface Side {
  name: string
  /** The process whose CPU is charged. */
  pid: number
  /** The Redis whose CPU is reported separately. A side without one has no such figure. */
  redis?: RedisServer
  /**
   * Prepares a round without being measured. Returns the function that is measured, which resolves to the number of
   * operations.
   */
  prepare(): Promise<() => Promise<number>>
}

/** `perCpuSecond` and `redisMicros` are medians of the rounds; `rounds` has the rate of every single round. */
export interface Rate {
  perCpuSecond: number
  rounds: number[]
  redisMicros: number | undefined
}

/** Measures all sides. One further round, before the others, warms everything up and does not count. */
export async function compareSides(sides: readonly Side[], rounds: number): Promise<Map<string, Rate>> {
  const all = sides.map((side) => ({ side, perCpuSecond: [] as number[], redisMicros: [] as number[] }))
  for (let i = -1; i < rounds; i++) {
    // The order alternates, so that a change in the speed of the machine favours no side.
    for (const { side, perCpuSecond, redisMicros } of i % 2 === 0 ? all : all.toReversed()) {
      const drive = await side.prepare()
      let count = 0
      const cost = await cpuOf({ pids: [side.pid], redis: side.redis }, async () => {
        count = await drive()
      })
      if (i < 0) continue
      perCpuSecond.push(count / cost.serverSeconds)
      redisMicros.push((cost.redisSeconds / count) * 1e6)
    }
  }
  return new Map(
    all.map(({ side, perCpuSecond, redisMicros }) => [
      side.name,
      {
        perCpuSecond: median(perCpuSecond),
        rounds: perCpuSecond,
        redisMicros: side.redis && median(redisMicros)
      }
    ])
  )
}

/** Returns a figure for every round of every side, which shows how much the rounds vary. */
export function roundFigures(rates: ReadonlyMap<string, Rate>, unit: string): Figure[] {
  return [...rates].flatMap(([name, { rounds }]) =>
    rounds.map((value, i) => ({ name: `${name}, round ${i + 1}`, value, unit }))
  )
}
