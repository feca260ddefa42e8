/**
 * Measures the CPU of a whole grant: a client starts the grant, a user looks at it and approves it, the client collects
 * the tokens.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { approverAtBetterAuth, approverAtGrantd, approverAtOidcProvider } from './support/approvers.js'
import { type Caller, createCaller, manyTimes, UnexpectedStatus } from './support/callers.js'
import { compareSides, type Rate, roundFigures, type Side } from './support/compare-sides.js'
import { type Contender, startBetterAuth, startGrantdAlone, startOidcProvider } from './support/contenders.js'
import type { Lifetime } from './support/lifetime.js'
import type { Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

/**
 * A collection signs one or two tokens, which blocks the event loop, so fewer requests run at once than in the poll
 * benches.
 */
const AT_ONCE = 16
const AGAIN_AFTER_MS = 1_000

export async function benchCollect(lifetime: Lifetime, { rounds, collected }: Sizes): Promise<Section> {
  let again = 0
  const call = patient(createCaller(lifetime), () => again++)
  const [grantd, oidcProvider, betterAuth] = [
    await startGrantdAlone(lifetime),
    await startOidcProvider(lifetime),
    await startBetterAuth(lifetime, 'file')
  ]
  const sides = [
    sideOf(grantd, await approverAtGrantd(grantd, call)),
    sideOf(oidcProvider, approverAtOidcProvider(oidcProvider, call)),
    sideOf(betterAuth, await approverAtBetterAuth(betterAuth, call))
  ]

  let tokens = 0
  function sideOf(contender: Contender, approve: (userCode: string) => Promise<unknown>): Side {
    const count = Math.ceil(collected / contender.slower.grant)
    const drive = async () => {
      const collectedTokens = await manyTimes(count, AT_ONCE, () => wholeWay(call, contender, approve))
      if (new Set(collectedTokens).size !== count) throw new Error(`${contender.name} gave a token twice`)
      tokens += count
      return count
    }
    return { ...contender, prepare: async () => drive }
  }

  const rates = await compareSides(sides, rounds)
  const unit = 'grants per CPU-second'
  return {
    title: '11. Grants the whole way: started, looked at, approved, collected',
    how:
      `${rounds} rounds, alternating, ${collected.toLocaleString('en')} grants of the service in each and fewer of the peers; ` +
      `${AT_ONCE} at a time, driven from this process, whose CPU does not count. The service signs two ` +
      'tokens (RS256), node-oidc-provider one, better-auth makes a session. node-oidc-provider is spared its pages, session and interaction: what they end in is ' +
      `done with its models. Verified: all ${tokens.toLocaleString('en')} were collected, each with a token of its own; ` +
      `${again} requests had to be made again, after a 503.`,
    figures: [
      ...[...rates].map(([name, { perCpuSecond }]) => ({ name, value: perCpuSecond, unit })),
      ...[...rates].map(([name, rate]) => ({ name: `CPU, ${name}`, value: serverMicros(rate), unit: 'µs per grant' })),
      ...[...rates].flatMap(([name, { redisMicros }]) =>
        redisMicros === undefined ? [] : [{ name: `Redis, ${name}`, value: redisMicros, unit: 'µs per grant' }]
      ),
      ...roundFigures(rates, unit)
    ]
  }
}

const serverMicros = ({ perCpuSecond }: Rate) => 1e6 / perCpuSecond

/** Wraps a caller so that it repeats a request answered with 503 (server too busy), as clients do. */
function patient(call: Caller, isAgain: () => void): Caller {
  return async function ask(...request): Promise<string> {
    try {
      return await call(...request)
    } catch (error) {
      if (!(error instanceof UnexpectedStatus && error.status === 503)) throw error
      isAgain()
      await sleep(AGAIN_AFTER_MS)
      return ask(...request)
    }
  }
}

async function wholeWay(
  call: Caller,
  { start, url, poll: { path, shape } }: Contender,
  approve: (userCode: string) => Promise<unknown>
): Promise<string> {
  const { device_code: deviceCode, user_code: userCode } = JSON.parse(await call(start.url, start))
  await approve(userCode)
  const body = shape.before + deviceCode + shape.after
  const answer = await call(url + path, { method: 'POST', body, headers: { 'content-type': shape.type } })
  return JSON.parse(answer).access_token
}
