/** The configuration of Redis: its type, the checks of its variables, and its assembly from the environment. */
import { isIPv6 } from 'node:net'
import { type Environment, EnvironmentSchema } from '../../schemas/config.js'

/** The Redis that holds all state: one server, a primary chosen by Sentinels, or a Cluster. */
export interface RedisConfig {
  readonly place:
    | { readonly kind: 'single'; readonly url: string }
    | { readonly kind: 'sentinel'; readonly sentinels: readonly ServerAddress[]; readonly name: string }
    | { readonly kind: 'cluster'; readonly seeds: readonly ServerAddress[] }
  readonly user: Credentials
  readonly sentinelUser: Credentials
  /** TLS is used if this is set or the URL is rediss://. `ca` replaces the certificates that Node.js trusts by default. */
  readonly tls: { readonly ca: string | undefined } | undefined
  readonly prefix: string
  readonly timeoutMs: number
  readonly waitReplicas: number
}

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly username: string | undefined
  readonly password: string | undefined
}

/** Whether any kind of Redis is configured; without one, state is in memory. */
export const usesRedis = (env: Environment): boolean => redisPlaces(env).length > 0

/** The variables that locate Redis; at most one of them may be set. */
export const REDIS_PLACES = ['REDIS_URL', 'REDIS_SENTINELS', 'REDIS_CLUSTER'] as const

const redisPlaces = (env: Environment) => REDIS_PLACES.filter((name) => (env[name]?.length ?? 0) > 0)

/** The faults of the Redis variables in combination: one line each, beginning with the variable's name. `isDemo`: in faults.ts. */
export function* redisFaults(env: Environment, isDemo: boolean): Generator<string> {
  const [kind, another] = redisPlaces(env)
  if (another) yield `${another}: not together with ${kind}, state lives in one place`
  if (kind === 'REDIS_SENTINELS' && !env.REDIS_SENTINEL_NAME)
    yield 'REDIS_SENTINEL_NAME: mandatory with REDIS_SENTINELS'
  for (const name of ['REDIS_SENTINELS', 'REDIS_CLUSTER'] as const) {
    if (!env[name].every(isServerAddress)) yield `${name}: expected ${EnvironmentSchema.properties[name].expects}`
  }
  for (const name of ['REDIS_SENTINEL_NAME', 'REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'] as const) {
    if (env[name] && kind !== 'REDIS_SENTINELS') yield `${name}: only with REDIS_SENTINELS`
  }
  for (const name of ['REDIS_USERNAME', 'REDIS_PASSWORD'] as const) {
    if (!env[name]) continue
    if (kind === undefined) yield `${name}: only with REDIS_SENTINELS or REDIS_CLUSTER`
    if (kind === 'REDIS_URL') yield `${name}: not with REDIS_URL, it stands in the URL`
  }
  if (env.REDIS_TLS === 'on' && kind === undefined) yield 'REDIS_TLS: only with REDIS_SENTINELS or REDIS_CLUSTER'
  if (env.REDIS_TLS === 'on' && kind === 'REDIS_URL') yield 'REDIS_TLS: not with REDIS_URL, say rediss:// there'
  if (env.REDIS_CA_FILE && env.REDIS_TLS === 'off' && !env.REDIS_URL?.startsWith('rediss:')) {
    yield 'REDIS_CA_FILE: only with TLS, which REDIS_TLS=on or a rediss:// URL asks for'
  }
  if (env.REDIS_WAIT_REPLICAS > 0 && kind === undefined) yield 'REDIS_WAIT_REPLICAS: only with Redis'
  if (kind) {
    if (env.GRANTD_SECRET.length === 0) yield `GRANTD_SECRET: mandatory with ${kind}`
    if (env.DASHBOARD_JWT_SECRET.length === 0 && !env.DASHBOARD_JWKS_URL && !env.PROVIDERS_FILE && !isDemo) {
      yield `DASHBOARD_JWT_SECRET: mandatory with ${kind}, unless DASHBOARD_JWKS_URL or PROVIDERS_FILE is set`
    }
  }
}

/** Whether an address (host:port, checked by its pattern) has a valid port and, if it is IPv6, a valid host. */
function isServerAddress(text: string): boolean {
  const { host, port } = readServerAddress(text)
  return port >= 1 && port <= 65_535 && (!host.includes(':') || isIPv6(host))
}

/** Splits host:port; removes the brackets of an IPv6 host. */
export function readServerAddress(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

export function assembleRedis(env: Environment, ca: string | undefined): RedisConfig {
  return {
    place: env.REDIS_URL
      ? { kind: 'single', url: env.REDIS_URL }
      : env.REDIS_SENTINEL_NAME
        ? { kind: 'sentinel', sentinels: env.REDIS_SENTINELS.map(readServerAddress), name: env.REDIS_SENTINEL_NAME }
        : { kind: 'cluster', seeds: env.REDIS_CLUSTER.map(readServerAddress) },
    user: { username: env.REDIS_USERNAME, password: env.REDIS_PASSWORD },
    sentinelUser: { username: env.REDIS_SENTINEL_USERNAME, password: env.REDIS_SENTINEL_PASSWORD },
    tls: env.REDIS_TLS === 'on' || ca !== undefined ? { ca } : undefined,
    prefix: env.REDIS_PREFIX,
    timeoutMs: env.REDIS_TIMEOUT_MS,
    waitReplicas: env.REDIS_WAIT_REPLICAS
  }
}
