/**
 * Compares polls of pending grants between service and yardstick in alternating rounds; poll.ts and token.ts share
 * this.
 */
import { createGrants, grantKey } from './grants.js'
import type { Lifetime } from './lifetime.js'
import { type BodyShape, postCodes } from './load.js'
import { assertPending, measure, type Round } from './measure.js'
import { startBenchRedis, startGrantd, startYardstick } from './processes.js'
import { type Figure, median, medianRatio } from './report.js'
import type { Sizes } from './sizes.js'
import { warmUp } from './warm-up.js'

export interface Comparison {
  /** Requests per CPU-second of the answering process: the median of all rounds. `figures` has the single rounds. */
  service: number
  yardstick: number
  /** The median of the ratios of the rounds. */
  ratio: number
  figures: Figure[]
  /** The polls that the service's own metrics counted as pending, which must be all of them. */
  pending: number
}

export interface Compared {
  servicePath: string
  yardstickPath: string
  shape: BodyShape
}

export async function comparePolls(
  lifetime: Lifetime,
  { rounds, polls }: Sizes,
  { servicePath, yardstickPath, shape }: Compared
): Promise<Comparison> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const [service, yardstick] = [await startGrantd(lifetime, redis), await startYardstick(lifetime, redis)]
  const sides = {
    service: {
      url: service.url + servicePath,
      pid: service.pid,
      codeOf: (code: string) => code,
      rounds: [] as Round[]
    },
    yardstick: { url: yardstick.url + yardstickPath, pid: yardstick.pid, codeOf: grantKey, rounds: [] as Round[] }
  }
  const both = [sides.service, sides.yardstick]
  await warmUp(
    lifetime,
    redis,
    polls,
    both.map(({ url, codeOf }) => ({ url, shape, codeOf }))
  )

  const outcomesBefore = await outcomes(service.url)
  for (let i = 0; i < rounds; i++) {
    // The order alternates, so that a change in the speed of the machine favours neither side.
    for (const side of i % 2 === 0 ? both : both.toReversed()) {
      const codes = (await createGrants(redis.url, polls)).map(side.codeOf)
      const measured = { redis, pids: [side.pid], command: 'setrange' } as const
      side.rounds.push(await measure(measured, () => postCodes(lifetime, side.url, codes, shape)))
    }
  }

  const outcomesAfter = await outcomes(service.url)
  const polled = sides.service.rounds.reduce((sum, { count }) => sum + count, 0)
  const pending = (outcomesAfter.get('pending') ?? 0) - (outcomesBefore.get('pending') ?? 0)
  assertPending(both.flatMap((side) => side.rounds))
  if (pending !== polled) throw new Error(`${polled} polls, but only ${pending} were answered as pending`)
  const [ofService, ofYardstick] = both.map(({ rounds }) => rounds.map(({ perCpuSecond }) => perCpuSecond)) as [
    number[],
    number[]
  ]
  return {
    service: median(ofService),
    yardstick: median(ofYardstick),
    ratio: medianRatio(ofService, ofYardstick),
    figures: Object.entries(sides).flatMap(([name, side]) => roundFigures(name, side.rounds)),
    pending
  }
}

function roundFigures(name: string, all: Round[]): Figure[] {
  return all.map(({ perCpuSecond }, i) => ({
    name: `${name}, round ${i + 1}`,
    value: perCpuSecond,
    unit: 'polls per CPU-second'
  }))
}

/** Reads grantd_polls_total of the service, by outcome. */
async function outcomes(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.matchAll(/^grantd_polls_total\{outcome="(\w+)"\} (\d+)/gm)
  return new Map([...lines].map(([, outcome = '', count]) => [outcome, Number(count)]))
}
