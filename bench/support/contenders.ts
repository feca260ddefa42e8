/**
 * Starts every server that answers polls of pending grants, each with its own store: the yardstick, the service, and
 * the peers of bench/peers. This file knows how to speak to each; the benches decide what is measured.
 */
import { DEVICE_CODE_GRANT } from '../../src/core/clients/client.js'
import type { RedisServer } from '../../test/support/redis-server.js'
import { createCaller, manyTimes } from './callers.js'
import { createGrants, grantKey } from './grants.js'
import type { Lifetime } from './lifetime.js'
import { type BodyShape, CONNECTIONS, FORM_POLL, JSON_TYPE, type SameRequest, TOKEN_PATH } from './load.js'
import { BETTER_AUTH, BETTER_AUTH_IN_MEMORY, GRANTD, OIDC_PROVIDER, OIDC_PROVIDER_PLAIN, YARDSTICK } from './names.js'
import { startBenchRedis, startGrantd, startPeer, startYardstick, type Target } from './processes.js'

export interface Polled extends Target {
  name: string
  redis?: RedisServer
  /**
   * The factors by which this contender gets fewer polls, starts and grants, because it is slower and rounds should
   * take equally long.
   */
  slower: { poll: number; start: number; grant: number }
  poll: { path: string; shape: BodyShape }
  /** Creates pending grants, through the product's store or over HTTP, and returns their codes. */
  createCodes(count: number): Promise<string[]>
}

export interface Contender extends Polled {
  /** The request for a device code; the yardstick has none. */
  start: SameRequest
}

const AS_FAST = { poll: 1, start: 1, grant: 1 }
const FORM = { 'content-type': FORM_POLL.type }
const JSON_HEADERS = { 'content-type': JSON_TYPE }

export async function startGrantdAlone(lifetime: Lifetime): Promise<Contender> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const target = await startGrantd(lifetime, redis)
  const url = `${target.url}/oauth/device_authorization`
  return {
    ...target,
    name: GRANTD,
    redis,
    slower: AS_FAST,
    poll: { path: TOKEN_PATH, shape: FORM_POLL },
    start: { url, method: 'POST', body: 'client_id=cli&scope=openid', headers: FORM, status: 200 },
    createCodes: (count) => createGrants(redis.url, count)
  }
}

export async function startYardstickAlone(lifetime: Lifetime): Promise<Polled> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const target = await startYardstick(lifetime, redis)
  const createCodes = async (count: number) => (await createGrants(redis.url, count)).map(grantKey)
  return { ...target, name: YARDSTICK, redis, slower: AS_FAST, poll: { path: '/token', shape: FORM_POLL }, createCodes }
}

/**
 * Starts node-oidc-provider. With `pipelining` its driver gathers commands, which saves Redis most of the cost; `plain`
 * is the example that its users start from.
 */
export async function startOidcProvider(
  lifetime: Lifetime,
  driver: 'pipelining' | 'plain' = 'pipelining'
): Promise<Contender> {
  const redis = await startBenchRedis(lifetime, 'yes')
  const target = await startPeer(lifetime, 'oidc-provider.ts', redis.url, driver)
  const url = `${target.url}/device/auth`
  const start = { url, method: 'POST', body: 'client_id=cli&scope=openid', headers: FORM, status: 200 } as const
  return {
    ...target,
    name: driver === 'plain' ? OIDC_PROVIDER_PLAIN : OIDC_PROVIDER,
    redis,
    slower: { poll: 4, start: 3, grant: 2 },
    poll: { path: '/token', shape: FORM_POLL },
    start,
    createCodes: asker(lifetime, start)
  }
}

export async function startBetterAuth(lifetime: Lifetime, place: 'file' | 'memory'): Promise<Contender> {
  const target = await startPeer(
    lifetime,
    'better-auth.ts',
    place === 'file' ? `${lifetime.directory}/better-auth-${Date.now()}.db` : 'memory'
  )
  const url = `${target.url}/api/auth/device/code`
  const body = '{"client_id":"cli","scope":"openid"}'
  const start = { url, method: 'POST', body, headers: JSON_HEADERS, status: 200 } as const
  const rest = `","grant_type":"${DEVICE_CODE_GRANT}","client_id":"cli"}`
  return {
    ...target,
    name: place === 'file' ? BETTER_AUTH : BETTER_AUTH_IN_MEMORY,
    slower: { poll: 25, start: 20, grant: 8 },
    // better-auth answers 415 to a form, so this body is JSON.
    poll: { path: '/api/auth/device/token', shape: { type: JSON_TYPE, before: '{"device_code":"', after: rest } },
    start,
    createCodes: asker(lifetime, start)
  }
}

/** Asks for device codes, many at once, as clients would. */
function asker(lifetime: Lifetime, start: SameRequest): Polled['createCodes'] {
  const call = createCaller(lifetime)
  return async (count) => {
    const answers = await manyTimes(count, CONNECTIONS, () => call(start.url, start))
    return answers.map((answer) => JSON.parse(answer).device_code)
  }
}
