/** Polls of pending grants in requests per CPU-second of the process that answers them: the service against the yardstick. */
import { createGrants, grantKey } from './support/grants.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, postCodes } from './support/load.js'
import { assertPending, measure, type Round } from './support/measure.js'
import { startBenchRedis, startGrantd, startYardstick } from './support/processes.js'
import { median, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'
import { warmUp } from './support/warm-up.js'

export async function benchPoll(lifetime: Lifetime, { rounds, polls }: Sizes): Promise<Section> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const service = await startGrantd(lifetime, redis)
  const yardstick = await startYardstick(lifetime, redis)
  const yardstickUrl = `${yardstick.url}/poll`
  await warmUp(lifetime, redis, polls, [
    { url: service.url, codeOf: (code) => code },
    { url: yardstickUrl, codeOf: grantKey }
  ])

  const ofService: Round[] = []
  const ofYardstick: Round[] = []
  const outcomesBefore = await outcomes(service.url)
  const runs = [
    async () => {
      const codes = await createGrants(redis.url, polls)
      const round = await measure({ redis, pid: service.pid, command: 'evalsha' }, () =>
        postCodes(lifetime, service.url, codes)
      )
      ofService.push(round)
    },
    async () => {
      const codes = (await createGrants(redis.url, polls)).map(grantKey)
      const round = await measure({ redis, pid: yardstick.pid, command: 'evalsha' }, () =>
        postCodes(lifetime, yardstickUrl, codes)
      )
      ofYardstick.push(round)
    }
  ]
  for (let i = 0; i < rounds; i++) {
    // Who goes first changes, so that a machine that becomes faster or slower favours nobody.
    for (const run of i % 2 === 0 ? runs : runs.toReversed()) await run()
  }

  const outcomesAfter = await outcomes(service.url)
  const polled = ofService.reduce((sum, { count }) => sum + count, 0)
  const pending = (outcomesAfter.get('pending') ?? 0) - (outcomesBefore.get('pending') ?? 0)
  assertPending([...ofService, ...ofYardstick])
  if (pending !== polled) throw new Error(`${polled} polls, but only ${pending} were answered as pending`)

  const [grantd, bare] = [ofService, ofYardstick].map((all) => median(all.map(({ perCpuSecond }) => perCpuSecond)))
  return {
    title: '1. Polls of pending grants, per CPU-second of the process that answers',
    how:
      `${rounds} rounds of ${polls.toLocaleString('en')} first polls of unique grants each, alternating; wrk on 1 thread, ` +
      `${CONNECTIONS} connections; Redis with AOF. Verified: all ${pending.toLocaleString('en')} polls of the service were ` +
      'counted as pending by grantd_polls_total, and each wrote its grant once.',
    figures: [
      { name: 'service', value: grantd as number, unit: 'polls per CPU-second' },
      { name: 'yardstick', value: bare as number, unit: 'polls per CPU-second' },
      {
        name: 'service / yardstick',
        value: (grantd as number) / (bare as number),
        unit: '',
        target: { atLeast: 0.85 }
      },
      ...roundFigures('service', ofService),
      ...roundFigures('yardstick', ofYardstick)
    ]
  }
}

function roundFigures(name: string, all: Round[]) {
  return all.map(({ perCpuSecond }, i) => ({
    name: `${name}, round ${i + 1}`,
    value: perCpuSecond,
    unit: 'polls per CPU-second'
  }))
}

/** grantd_polls_total of the service, by outcome. */
async function outcomes(pollUrl: string): Promise<Map<string, number>> {
  const text = await (await fetch(new URL('/metrics', pollUrl))).text()
  const lines = text.matchAll(/^grantd_polls_total\{outcome="(\w+)"\} (\d+)/gm)
  return new Map([...lines].map(([, outcome = '', count]) => [outcome, Number(count)]))
}
