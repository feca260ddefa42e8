/**
 * npm run bench:verify: what @grantd/verify costs beside jose's bare `jwtVerify`, how many requests 100,000 tokens lead to, and how
 * soon a revocation at another instance arrives. Two instances over one Redis, on the loopback. What revocations take in memory is in
 * test/packages/verify-tokens.test.ts.
 */
import { subscribe } from 'node:diagnostics_channel'
import { cpus, loadavg } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { createVerifier, isVerifyError, type Verifier } from '@grantd/verify'
import { decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose'
import { type Revocable, startRevocable } from '../test/support/revocable.js'
import { createLifetime } from './support/lifetime.js'

const ROUNDS = 41
const VERIFICATIONS = 500
const TOKENS = 100_000
const REVOCATIONS = 200

const lifetime = createLifetime(600)
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

async function cpuMsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < VERIFICATIONS; i++) await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** Alternating rounds; each against the one beside it, and the median counts. */
async function ratioOf(one: () => Promise<unknown>, other: () => Promise<unknown>): Promise<number> {
  const ratios: number[] = []
  for (let round = -2; round < ROUNDS; round++) {
    const sides = round % 2 === 0 ? [one, other] : [other, one]
    const [first = 0, second = 0] = [await cpuMsOf(sides[0] as typeof one), await cpuMsOf(sides[1] as typeof one)]
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
  const terms = { issuer, audience: issuer, typ: 'at+jwt', requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'exp'] }
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
  console.log(`${REVOCATIONS} revocations, from the answer to whoever revoked: p50 ${half} ms, p99 ${most} ms`)
}

const isRefused = (verifier: Verifier, token: string) =>
  verifier.verify(token).then(
    () => false,
    (error) => {
      if (!isVerifyError(error) || error.reason !== 'revoked') throw error
      return true
    }
  )

try {
  console.log(`Node.js ${process.version}, ${cpus()[0]?.model ?? 'a processor'}, load ${loadavg()[0]?.toFixed(1)}`)
  for (const alg of ['RS256', 'ES256', 'EdDSA']) {
    const service = await startRevocable({ teardown: lifetime.ends }, { SIGNING_ALG: alg, LOG_LEVEL: 'warn' })
    const { issuer, credentials } = service
    const verifier = createVerifier({ issuer, audience: issuer, revocations: 'feed', credentials })
    lifetime.ends(() => verifier.close())
    await verifier.ready()
    await costs(service, alg, verifier)
    if (alg !== 'ES256') continue
    await delays(service, verifier)
    await countRequests(service, verifier)
  }
} finally {
  await lifetime.end()
}
