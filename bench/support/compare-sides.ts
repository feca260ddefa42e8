/** Several sides that do the same, measured in alternating rounds: how much each gets done in a CPU-second, and at what cost of Redis. */
import type { RedisServer } from '../../test/support/redis-server.js'
import { cpuOf } from './measure.js'
import { type Figure, median } from './report.js'

export interface Side {
  name: string
  /** The process whose CPU is charged. */
  pid: number
  /** Charged apart; a side without one has no such figure. */
  redis?: RedisServer
  /** Gets ready what is not measured, and answers with what is: that does it, and says how often it was done. */
  prepare(): Promise<() => Promise<number>>
}

/** Each the median of the rounds, and every round by itself. */
export interface Rate {
  perCpuSecond: number
  rounds: number[]
  redisMicros: number | undefined
}

/** One round more than counts: the first warms everything up. */
export async function compareSides(sides: readonly Side[], rounds: number): Promise<Map<string, Rate>> {
  const all = sides.map((side) => ({ side, perCpuSecond: [] as number[], redisMicros: [] as number[] }))
  for (let i = -1; i < rounds; i++) {
    // Who goes first changes, so that a machine that becomes faster or slower favours nobody.
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

/** Every round of every side, for whoever wants to know how even they were. */
export function roundFigures(rates: ReadonlyMap<string, Rate>, unit: string): Figure[] {
  return [...rates].flatMap(([name, { rounds }]) =>
    rounds.map((value, i) => ({ name: `${name}, round ${i + 1}`, value, unit }))
  )
}
