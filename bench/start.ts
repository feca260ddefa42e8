/** Measures device authorization requests (RFC 8628 §3.1) per CPU-second: the service against the peers. */
import { compareSides, type Rate, roundFigures, type Side } from './support/compare-sides.js'
import { startBetterAuth, startGrantdAlone, startOidcProvider } from './support/contenders.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, sendSame } from './support/load.js'
import { BETTER_AUTH, GRANTD, OIDC_PROVIDER } from './support/names.js'
import { medianRatio, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

export async function benchStart(lifetime: Lifetime, { rounds, starts }: Sizes): Promise<Section> {
  const contenders = [
    await startGrantdAlone(lifetime),
    await startOidcProvider(lifetime),
    await startBetterAuth(lifetime, 'file')
  ]
  const sides = contenders.map((contender): Side => {
    const count = Math.ceil(starts / contender.slower.start)
    const drive = async () => {
      await sendSame(lifetime, contender.start, count)
      return count
    }
    return { ...contender, prepare: async () => drive }
  })
  const rates = await compareSides(sides, rounds)
  const roundsOf = (name: string) => (rates.get(name) as Rate).rounds
  const unit = 'starts per CPU-second'
  return {
    title: '10. Grants started, against others',
    how:
      `${rounds} rounds, alternating, of ${starts.toLocaleString('en')} device authorization requests, and of as many times fewer ` +
      `as a peer takes longer; wrk on 1 thread, ${CONNECTIONS} connections; stores as in section 9. Verified: every request was ` +
      'answered 200.',
    figures: [
      ...[...rates].map(([name, { perCpuSecond }]) => ({ name, value: perCpuSecond, unit })),
      ...[OIDC_PROVIDER, BETTER_AUTH].map((name) => ({
        name: `${GRANTD} / ${name}`,
        value: medianRatio(roundsOf(GRANTD), roundsOf(name)),
        unit: ''
      })),
      ...[...rates].flatMap(([name, { redisMicros }]) =>
        redisMicros === undefined ? [] : [{ name: `Redis, ${name}`, value: redisMicros, unit: 'µs of Redis per start' }]
      ),
      ...roundFigures(rates, unit)
    ]
  }
}
