/**
 * Measures the tokens API: tokens against bare signatures with the same kind of key, the public documents of an issuer
 * against static texts of the same length, and how long the event loop is blocked while many issuers get their keys.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createApiKeys } from '../src/core/api-keys/api-keys.js'
import { createRedisStorage } from '../src/storage/redis/index.js'
import { BY, keptNowhere } from '../test/support/audit.js'
import { at, redisConfig } from '../test/support/redis-config.js'
import type { RedisServer } from '../test/support/redis-server.js'
import { compareSides, type Rate, roundFigures } from './support/compare-sides.js'
import type { Lifetime } from './support/lifetime.js'
import { CONNECTIONS, type SameRequest, sendSame } from './support/load.js'
import { startBenchRedis, startGrantd, startYardstick, type Target } from './support/processes.js'
import { type Figure, median, medianRatio, type Section } from './support/report.js'
import type { Sizes } from './support/sizes.js'

const ALGORITHMS = ['RS256', 'ES256'] as const
type Algorithm = (typeof ALGORITHMS)[number]
/** ES256 signs so fast that a round needs more signatures to be measured in hundredths of a second. */
const TIMES: Readonly<Record<Algorithm, number>> = { RS256: 1, ES256: 3 }
const DOCUMENTS = ['openid-configuration', 'jwks.json'] as const
const PROVIDERS_AT_ONCE = 20

/** One side of a comparison: what runs in a round and how often, and the process whose CPU is charged. */
interface Driven {
  name: string
  unit: string
  pid: number
  times: number
  drive(times: number): Promise<void>
}

export async function benchIssue(lifetime: Lifetime, sizes: Sizes): Promise<Section> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const apiKey = await makeApiKey(redis)
  const figures: Figure[] = []

  const services = new Map<Algorithm, Target>()
  for (const algorithm of ALGORITHMS) {
    const service = await startGrantd(lifetime, redis, { PROVIDER_SIGNING_ALG: algorithm })
    services.set(algorithm, service)
    const token = await tokenRequest(service, apiKey)
    const unit = 'tokens per CPU-second'
    const times = sizes.tokens * TIMES[algorithm]
    const ask = () => sendSame(lifetime, token, times)
    const sides: [Driven, Driven] = [
      { name: `${algorithm}, service`, unit, times, pid: service.pid, drive: ask },
      { name: `${algorithm}, bare sign`, unit, times, pid: process.pid, drive: signer(algorithm, await tokenOf(token)) }
    ]
    const target = algorithm === 'RS256' ? { atLeast: 0.8 } : undefined
    figures.push(...(await compare(sides, sizes.rounds, target)))
  }

  const service = services.get('RS256') as Target
  const urls = await documentsOf(service, apiKey)
  const lengths = await Promise.all(urls.map(async (url) => (await (await fetch(url)).text()).length))
  const yardstick = await startYardstick(lifetime, redis, [...new Set(lengths)])
  for (const [i, name] of DOCUMENTS.entries()) {
    const get = (url: string) => (times: number) => sendSame(lifetime, { url, method: 'GET', status: 200 }, times)
    const unit = 'requests per CPU-second'
    const text = `${yardstick.url}/static/${lengths[i]}`
    const times = sizes.polls
    const sides: [Driven, Driven] = [
      { name: `${name}, service`, unit, times, pid: service.pid, drive: get(urls[i] as string) },
      { name: `${name}, yardstick`, unit, times, pid: yardstick.pid, drive: get(text) }
    ]
    figures.push(...(await compare(sides, sizes.rounds, { atLeast: 0.85 })))
  }

  figures.push(...(await createAtOnce(service, apiKey, sizes.rounds)))
  return {
    title: '8. Tokens of providers, their public documents, and new providers',
    how:
      `${sizes.rounds} rounds of ${sizes.tokens.toLocaleString('en')} tokens (ES256: ${TIMES.ES256} times as many) and of ` +
      `${sizes.polls.toLocaleString('en')} documents, alternating; wrk on 1 thread, ${CONNECTIONS} connections; Redis with AOF. ` +
      `Bare sign is crypto.sign over a token's own text in a loop. Delays are those the service measures itself, every 10 ms, ` +
      `while ${PROVIDERS_AT_ONCE} providers with RS256 keys are created at once. Verified: every request was answered, as it should be.`,
    figures
  }
}

/**
 * Measures both sides in alternating rounds. Returns the median of each side, and the ratio of the first to the second.
 */
async function compare([one, other]: [Driven, Driven], rounds: number, target: Figure['target']): Promise<Figure[]> {
  const rates = await compareSides(
    [one, other].map(({ name, pid, times, drive }) => ({
      name,
      pid,
      prepare: async () => async () => {
        await drive(times)
        return times
      }
    })),
    rounds
  )
  const [measured, against] = [...rates.values()] as [Rate, Rate]
  return [
    { name: one.name, value: measured.perCpuSecond, unit: one.unit },
    { name: other.name, value: against.perCpuSecond, unit: other.unit },
    {
      name: `${one.name} / ${other.name.split(', ').at(-1)}`,
      value: medianRatio(measured.rounds, against.rounds),
      unit: '',
      ...(target && { target })
    },
    ...roundFigures(rates, one.unit)
  ]
}

/** Signs the text of a token again and again in this process, with a new key. */
function signer(algorithm: Algorithm, token: string): Driven['drive'] {
  const text = Buffer.from(token.slice(0, token.lastIndexOf('.')))
  const keys: Record<Algorithm, () => { privateKey: KeyObject }> = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  }
  const { privateKey: key } = keys[algorithm]()
  return async (times) => {
    for (let i = 0; i < times; i++) sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' })
  }
}

async function makeApiKey({ url }: RedisServer): Promise<string> {
  const clock = Date.now
  const log = { info() {}, warn: console.error }
  const storage = createRedisStorage({ redis: redisConfig(at(url)), clock, log, observe() {} })
  await storage.open()
  const { text } = await createApiKeys({ records: storage.apiKeys, clock, audit: keptNowhere }).create('bench', {}, BY)
  await storage.close()
  return text
}

const PROVIDER = { name: 'nightly builds', description: 'The builds of every night.' }
const CLIENT = { name: 'uploads', audience: 'https://storage.example.com' }

/** Creates an issuer with a workload, and returns the request for a token of that workload. */
async function tokenRequest({ url }: Target, apiKey: string): Promise<SameRequest> {
  const provider = await post(`${url}/v1/providers`, apiKey, PROVIDER)
  const client = await post(`${url}/v1/providers/${provider.id}/clients`, apiKey, CLIENT)
  return {
    url: `${url}/v1/providers/${provider.id}/clients/${client.id}/tokens`,
    method: 'POST',
    body: JSON.stringify({ expiresIn: 600 }),
    headers: headersOf(apiKey),
    status: 201
  }
}

async function tokenOf({ url, body = '', headers = {} }: SameRequest): Promise<string> {
  const answer = (await (await fetch(url, { method: 'POST', body, headers })).json()) as { accessToken: string }
  return answer.accessToken
}

async function documentsOf({ url }: Target, apiKey: string): Promise<string[]> {
  const { id } = await post(`${url}/v1/providers`, apiKey, PROVIDER)
  return DOCUMENTS.map((name) => `${url}/${id}/.well-known/${name}`)
}

/** Measures how long the event loop of the service is blocked while many issuers are created at once. */
async function createAtOnce({ url }: Target, apiKey: string, rounds: number): Promise<Figure[]> {
  const delays: number[] = []
  const seconds: number[] = []
  for (let i = 0; i < rounds; i++) {
    // Reading the delay resets it in the service, so this read starts the measurement.
    await loopDelayMs(url)
    const startedAt = performance.now()
    const all = Array.from({ length: PROVIDERS_AT_ONCE }, () => post(`${url}/v1/providers`, apiKey, PROVIDER))
    await Promise.all(all)
    seconds.push((performance.now() - startedAt) / 1000)
    delays.push(await loopDelayMs(url))
  }
  const name = `event-loop delay, ${PROVIDERS_AT_ONCE} providers at once, p99`
  return [
    { name, value: median(delays), unit: 'ms', target: { atMost: 50 } },
    ...delays.map((value, i) => ({ name: `${name}, round ${i + 1}`, value, unit: 'ms' })),
    { name: `until all ${PROVIDERS_AT_ONCE} are there`, value: median(seconds), unit: 's' }
  ]
}

async function loopDelayMs(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text)?.[1]) * 1000
}

const headersOf = (apiKey: string) => ({ authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' })

async function post(url: string, apiKey: string, body: object): Promise<{ id: string }> {
  const answer = await fetch(url, { method: 'POST', headers: headersOf(apiKey), body: JSON.stringify(body) })
  if (answer.status !== 201) throw new Error(`${url} was answered ${answer.status}`)
  return (await answer.json()) as { id: string }
}
