/**
 * npm run bench:verify: what @grantd/verify costs beside jose's bare `jwtVerify`, how many requests 100,000 tokens lead to, how
 * soon a revocation at another instance arrives, what a call costs by each of the ways to find out what is revoked, and what polls
 * notice of a verifier that reads 100,000 revocations. Two instances over one Redis, on the loopback. With the word `ways` or `polls`
 * only the one or the other. What revocations take in memory is in test/packages/verify-tokens.test.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createVerifier, isVerifyError, type Verifier } from '@grantd/verify'
import { decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { createRedisStorage } from '../src/storage/redis/index.js'
import { apiClient } from '../test/support/client.js'
import { fillFeed } from '../test/support/full-feed.js'
import { at, redisConfig } from '../test/support/redis-config.js'
import { REPORTS, type Revocable, startRevocable } from '../test/support/revocable.js'
import { microsOf } from './support/cpu-time.js'
import { createLifetime } from './support/lifetime.js'
import { printWayCosts } from './support/way-costs.js'

const ROUNDS = 41
const VERIFICATIONS = 500
const TOKENS = 100_000
const REVOCATIONS = 200
/** The promise: 99 of 100 are refused so soon. */
const TOLD_WITHIN_MS = 50
const IN_FORCE = 100_000
/** Rounds with and without a verifier that reads them all, and how long each lasts. */
const POLL_ROUNDS = 12
const POLL_ROUND_MS = 5_000
const POLL_EVERY_MS = 4
/** So many grants take turns that none of them is polled sooner than its client may. */
const POLLED_GRANTS = 2_000

const READER = fileURLToPath(new URL('support/read-feed.ts', import.meta.url))

const lifetime = createLifetime(900)
const quantile = (sorted: readonly number[], part: number) =>
  sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN
const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b)

async function keyOf(service: Revocable, token: string) {
  const { keys } = (await (await fetch(`${service.issuer}/.well-known/jwks.json`)).json()) as { keys: JWK[] }
  const { kid, alg } = decodeProtectedHeader(token)
  const jwk = keys.find((key) => key.kid === kid)
  if (!jwk) throw new Error('the key is not published')
  return importJWK(jwk, alg)
}

/** Alternating rounds; each against the one beside it, and the median counts. */
async function ratioOf(one: () => Promise<unknown>, other: () => Promise<unknown>): Promise<number> {
  const ratios: number[] = []
  for (let round = -2; round < ROUNDS; round++) {
    const sides = round % 2 === 0 ? [one, other] : [other, one]
    const [first, second] = [
      await microsOf(sides[0] as typeof one, VERIFICATIONS),
      await microsOf(sides[1] as typeof one, VERIFICATIONS)
    ]
    if (round >= 0) ratios.push(round % 2 === 0 ? first / second : second / first)
  }
  return quantile(ascending(ratios), 0.5)
}

async function costs(service: Revocable, alg: string, verifier: Verifier): Promise<void> {
  const token = await service.token()
  const { issuer } = service
  const key = await keyOf(service, token)
  await verifier.verify(token)
  const bare = await ratioOf(
    () => verifier.verify(token, { scope: 'reports.read' }),
    () => jwtVerify(token, key)
  )
  const terms = { issuer, audience: REPORTS, typ: 'at+jwt', requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'exp'] }
  const equal = await ratioOf(
    () => verifier.verify(token, { scope: 'reports.read' }),
    () => jwtVerify(token, key, terms)
  )
  console.log(
    `${alg}: verify() takes ${bare.toFixed(3)} of bare jwtVerify, ${equal.toFixed(3)} of one with the same terms`
  )
}

async function countRequests(service: Revocable, verifier: Verifier): Promise<void> {
  const paths: string[] = []
  subscribe('undici:request:create', (message) => paths.push((message as { request: { path: string } }).request.path))
  const tokens = await Promise.all(Array.from({ length: 10 }, () => service.token()))
  paths.length = 0
  const startedAt = performance.now()
  for (let i = 0; i < TOKENS; i++) await verifier.verify(tokens[i % tokens.length], { scope: 'reports.read' })
  const seconds = (performance.now() - startedAt) / 1_000
  const held = paths.filter((path) => path.startsWith('/oauth/revocations')).length
  console.log(
    `${TOKENS} tokens in ${seconds.toFixed(1)} s: ${paths.length} requests, ${held} of them held ones of the feed`
  )
}

async function delays(service: Revocable, verifier: Verifier): Promise<void> {
  const delaysMs: number[] = []
  for (let i = 0; i < REVOCATIONS; i++) {
    const token = await service.token()
    await verifier.verify(token)
    await service.revoke(token)
    const startedAt = performance.now()
    while (!(await isRefused(verifier, token))) await turn()
    delaysMs.push(performance.now() - startedAt)
  }
  const sorted = ascending(delaysMs)
  const [half, most] = [0.5, 0.99].map((part) => quantile(sorted, part).toFixed(1))
  const times = `p50 ${half} ms, p99 ${most} ms, of which at most ${TOLD_WITHIN_MS} ms are promised`
  console.log(`${REVOCATIONS} revocations, from the answer to whoever revoked: ${times}`)
}

const isRefused = (verifier: Verifier, token: string) =>
  verifier.verify(token).then(
    () => false,
    (error) => {
      if (!isVerifyError(error) || error.reason !== 'revoked') throw error
      return true
    }
  )

/** Begins with nothing, reads all that is in force, and begins again, as a process of its own, until it is stopped. */
function startReader({ there, credentials }: Revocable): { readingsMs: number[]; stop(): Promise<void> } {
  const env = { ...process.env, ISSUER: there().url, CREDENTIALS: JSON.stringify(credentials), ENTRIES: `${IN_FORCE}` }
  const child: ChildProcess = spawn(process.execPath, ['--import=tsx', READER], {
    env,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const readingsMs: number[] = []
  child.stdout?.on('data', (data: Buffer) => readingsMs.push(...data.toString().trim().split('\n').map(Number)))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = () => {
    child.kill('SIGKILL')
    return ended
  }
  lifetime.ends(stop)
  return { readingsMs, stop }
}

/** Polls of pending grants at a steady pace, at both instances by turns. */
async function pollsFor(urls: readonly string[], codes: string[]): Promise<number[][]> {
  const delaysMs: number[][] = urls.map(() => [])
  const apis = urls.map(apiClient)
  const under: Promise<void>[] = []
  let failure: unknown
  const startedAt = performance.now()
  for (let i = 0; i * POLL_EVERY_MS < POLL_ROUND_MS; i++) {
    const code = codes.shift() as string
    codes.push(code)
    const which = i % urls.length
    const sent = performance.now()
    const poll = async () => {
      const { status, body } = (await apis[which]?.poll(code)) ?? {}
      if (body?.status !== 'authorization_pending') throw new Error(`a poll: ${status} ${JSON.stringify(body)}`)
      delaysMs[which]?.push(performance.now() - sent)
    }
    under.push(
      poll().catch((error) => {
        failure = error
      })
    )
    await sleep(Math.max(0, startedAt + (i + 1) * POLL_EVERY_MS - performance.now()))
  }
  await Promise.all(under)
  if (failure) throw failure
  return delaysMs.map(ascending)
}

async function pollsBesideReader(service: Revocable): Promise<void> {
  const log = { info() {}, warn: console.error }
  const redis = redisConfig(at(service.redis.url), { timeoutMs: 30_000 })
  const storage = createRedisStorage({ redis, clock: Date.now, log, observe() {} })
  lifetime.ends(() => storage.close())
  await storage.open()
  await fillFeed(storage.revocations, IN_FORCE, Date.now())
  const instances = { 'the instance that is read from': service.there().url, 'the other one': service.here.url }
  const urls = Object.values(instances)
  const api = apiClient(service.here.url)
  const codes: string[] = []
  while (codes.length < POLLED_GRANTS) codes.push((await api.start()).grant_code)
  /** By instance, the rounds without and with a reader. */
  const rounds = urls.map(() => [[] as number[][], [] as number[][]] as const)
  const readingsMs: number[] = []
  for (let round = -2; round < POLL_ROUNDS; round++) {
    const isRead = round % 2 !== 0
    const reader = isRead ? startReader(service) : undefined
    while (reader && reader.readingsMs.length === 0) await sleep(50)
    const delaysMs = await pollsFor(urls, codes)
    await reader?.stop()
    if (round < 0) continue
    readingsMs.push(...(reader?.readingsMs ?? []))
    for (const [i, sorted] of delaysMs.entries()) rounds[i]?.[isRead ? 1 : 0].push(sorted)
  }
  for (const [i, name] of Object.keys(instances).entries()) {
    const say = (part: number) => {
      const [without = 0, beside = 0] = (rounds[i] ?? []).map((some) =>
        quantile(ascending(some.map((sorted) => quantile(sorted, part))), 0.5)
      )
      return `${without.toFixed(2)} ms without, ${beside.toFixed(2)} ms beside (${(beside / without).toFixed(2)})`
    }
    console.log(`polls at ${name}: p50 ${say(0.5)}; p99 ${say(0.99)}`)
  }
  const all = ascending(readingsMs)
  console.log(
    `${IN_FORCE} revocations are read in ${(quantile(all, 0.5) / 1_000).toFixed(2)} s, ${all.length} readings`
  )
}

try {
  console.log(`Node.js ${process.version}, ${cpus()[0]?.model ?? 'a processor'}, load ${loadavg()[0]?.toFixed(1)}`)
  const only = process.argv.find((word) => word === 'ways' || word === 'polls')
  for (const alg of only ? [] : ['RS256', 'ES256', 'EdDSA']) {
    const service = await startRevocable({ teardown: lifetime.ends }, { SIGNING_ALG: alg, LOG_LEVEL: 'warn' })
    const { issuer, credentials } = service
    const verifier = createVerifier({ issuer, audience: REPORTS, revocations: 'feed', credentials })
    lifetime.ends(() => verifier.close())
    await verifier.ready()
    await costs(service, alg, verifier)
    if (alg !== 'ES256') continue
    await delays(service, verifier)
    await countRequests(service, verifier)
  }
  await lifetime.endSection()
  const start = (variables: Record<string, string>) =>
    startRevocable({ teardown: lifetime.ends }, { LOG_LEVEL: 'warn', ...variables })
  if (only !== 'polls') await printWayCosts(lifetime, await start({ SIGNING_ALG: 'RS256', TOKEN_STATUS_LIST: 'on' }))
  await lifetime.endSection()
  if (only !== 'ways') await pollsBesideReader(await start({}))
} finally {
  await lifetime.end()
}
