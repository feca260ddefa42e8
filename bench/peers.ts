/**
 * Measures polls of pending grants at the token endpoint: the service, the yardstick and the peers, in the same rounds.
 */
import { compareSides, type Rate, roundFigures, type Side } from './support/compare-sides.js'
import { startBetterAuth, startGrantdAlone, startOidcProvider, startYardstickAlone } from './support/contenders.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, postPending } from './support/load.js'
import {
  BETTER_AUTH,
  BETTER_AUTH_IN_MEMORY,
  GRANTD,
  OIDC_PROVIDER,
  OIDC_PROVIDER_PLAIN,
  YARDSTICK
} from './support/names.js'
import { type Figure, medianRatio, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

export async function benchPeers(lifetime: Lifetime, { rounds, polls }: Sizes): Promise<Section> {
  const contenders = [
    await startYardstickAlone(lifetime),
    await startGrantdAlone(lifetime),
    await startOidcProvider(lifetime),
    await startOidcProvider(lifetime, 'plain'),
    await startBetterAuth(lifetime, 'file'),
    await startBetterAuth(lifetime, 'memory')
  ]

  let answered = 0
  const sides = contenders.map((contender): Side => {
    const { poll, url, slower } = contender
    return {
      ...contender,
      async prepare() {
        const codes = await contender.createCodes(Math.ceil(polls / slower.poll))
        return async () => {
          const count = await postPending(lifetime, url + poll.path, codes, poll.shape)
          answered += count
          return count
        }
      }
    }
  })
  const rates = await compareSides(sides, rounds)
  const rateOf = (name: string) => rates.get(name) as Rate

  const ratio = (one: string, other: string, target?: Figure['target']): Figure => ({
    name: `${one} / ${other}`,
    value: medianRatio(rateOf(one).rounds, rateOf(other).rounds),
    unit: '',
    ...(target && { target })
  })
  const unit = 'polls per CPU-second'
  return {
    title: '9. Polls of pending grants at the token endpoint, against others',
    how:
      `${rounds} rounds, alternating, of ${polls.toLocaleString('en')} first polls of unique grants each, and of as many times ` +
      `fewer as a peer takes longer; wrk on 1 thread, ${CONNECTIONS} connections. Whoever has a Redis has one of its own, with ` +
      'AOF. better-auth has SQLite in its own process, and for comparison the arrays in memory that are its adapter for tests. ' +
      `Verified: all ${answered.toLocaleString('en')} polls of all sides were answered with authorization_pending.`,
    figures: [
      ...[...rates].map(([name, { perCpuSecond }]) => ({ name, value: perCpuSecond, unit })),
      ratio(GRANTD, YARDSTICK),
      ratio(GRANTD, OIDC_PROVIDER, { atLeast: 5 }),
      ratio(GRANTD, OIDC_PROVIDER_PLAIN),
      ratio(GRANTD, BETTER_AUTH, { atLeast: 20 }),
      ratio(GRANTD, BETTER_AUTH_IN_MEMORY),
      // The yardstick is the upper bound for any server of this kind.
      ratio(YARDSTICK, OIDC_PROVIDER),
      ...[...rates].flatMap(([name, { redisMicros }]) =>
        redisMicros === undefined ? [] : [{ name: `Redis, ${name}`, value: redisMicros, unit: 'µs of Redis per poll' }]
      ),
      ...roundFigures(rates, unit)
    ]
  }
}
