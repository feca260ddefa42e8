/**
 * Turns the environment into one frozen configuration, or refuses with every fault at once.
 * The variables themselves are described in schemas/config.ts; here live the checks that look at more than one of them.
 */
import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import ipaddr from 'ipaddr.js'
import { type Environment, EnvironmentSchema } from '../schemas/config.js'
import { builtInClients, type OAuthClient } from './oauth-clients/oauth-client.js'
import { readOAuthClientsFile } from './oauth-clients-file.js'

/** What the service runs by. Durations carry their unit in the name. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly publicUrl: string
  /** What `iss` and `aud` of a client JWT must be; undefined while PUBLIC_URL is a guess that every instance makes for itself. */
  readonly expectedIssuer: string | undefined
  readonly verificationUri: string
  readonly corsOrigins: readonly string[]
  readonly redis: { readonly url: string; readonly prefix: string } | undefined
  readonly secrets: readonly string[]
  readonly dashboard: {
    readonly key: { readonly secret: string } | { readonly jwksUrl: string }
    readonly issuer: string | undefined
    readonly audience: string | undefined
  }
  /** All of them, the built-in ones first. */
  readonly oauthClients: readonly OAuthClient[]
  readonly grantTtlSeconds: number
  readonly pollIntervalSeconds: number
  readonly clientTokenTtlSeconds: number
  readonly signingAlg: Environment['SIGNING_ALG']
  readonly trustProxy: readonly string[]
  readonly edgeHeaders: Environment['EDGE_HEADERS']
  readonly logLevel: Environment['LOG_LEVEL']
  readonly limits: Limits | 'off'
  readonly heldPolls: number
  readonly shutdownDelaySeconds: number
  /** Names of the secrets that were made up for this process, because it only tries things out. */
  readonly madeUpSecrets: readonly string[]
}

export interface Limits {
  readonly startPerMinute: number
  readonly peekPerMinute: number
  readonly approvePerMinute: number
  readonly refreshPerMinute: number
  readonly revokePerMinute: number
  readonly introspectPerMinute: number
  readonly userinfoPerMinute: number
  readonly missesPerUser: number
  readonly missesPerIp: number
}

/** The environment is wrong: `faults` has one line per variable, its name first. */
export class ConfigError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`the configuration is wrong:\n${faults.map((line) => `  ${line}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Variables = Readonly<Record<string, string | undefined>>

/** Reads the process's environment. An empty variable counts as absent. Throws ConfigError. */
export function loadConfig(variables: Variables): Config {
  const values = readValues(variables)
  const malformed = shapeFaults(values)
  // A malformed value has been named already; for the checks that look at several it is as good as absent.
  for (const name of malformed.keys()) delete values[name]
  const crossed = [...crossFaults({ ...readValues({}), ...values } as Environment)]
  const file = readOAuthClientsFile(values.OAUTH_CLIENTS_FILE as string | undefined)
  const faults = [
    ...malformed.values(),
    ...crossed.filter((line) => !malformed.has(line.split(':', 1)[0] ?? '')),
    ...file.faults.map((line) => `OAUTH_CLIENTS_FILE: ${line}`)
  ]
  if (faults.length > 0) throw new ConfigError(faults)
  return deepFreeze(assemble(values as Environment, file.clients))
}

function readValues(variables: Variables): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries<TSchema>(EnvironmentSchema.properties)) {
    const text = variables[name]?.trim()
    if (text === undefined || text === '') {
      if (schema.default !== undefined) values[name] = structuredClone(schema.default)
    } else {
      values[name] = readValue(schema, text)
    }
  }
  return values
}

function readValue(schema: TSchema, text: string): unknown {
  if (schema.type === 'integer') return /^-?\d+$/.test(text) ? Number(text) : text
  if (schema.type === 'array') return text.split(',').map((item) => item.trim())
  return text
}

/** What is wrong with single values, by the name of their variable. */
function shapeFaults(values: Record<string, unknown>): Map<string, string> {
  const faults = new Map<string, string>()
  for (const [name, schema] of Object.entries<TSchema>(EnvironmentSchema.properties)) {
    const isWrong = values[name] !== undefined && !Value.Check(schema, values[name])
    if (isWrong) faults.set(name, `${name}: expected ${schema.expects}`)
  }
  return faults
}

const expectation = (name: keyof Environment) => `${name}: expected ${EnvironmentSchema.properties[name].expects}`

function* crossFaults(env: Environment): Generator<string> {
  for (const name of ['PUBLIC_URL', 'VERIFICATION_URI', 'DASHBOARD_JWKS_URL'] as const) {
    const url = env[name]
    if (url !== undefined && !isSafeUrl(url)) yield expectation(name)
  }
  if (env.PUBLIC_URL && !PLAIN_PATH.test(env.PUBLIC_URL)) {
    yield 'PUBLIC_URL: its path may hold letters, digits and . _ ~ - / only, everything is served under it'
  }
  if (!env.TRUST_PROXY.every(isNarrowRange)) yield expectation('TRUST_PROXY')
  if (env.EDGE_HEADERS && env.TRUST_PROXY.length === 0) {
    yield 'EDGE_HEADERS: needs TRUST_PROXY, the addresses of the edge that sets these headers'
  }
  if (env.DASHBOARD_JWT_SECRET && env.DASHBOARD_JWKS_URL) {
    yield 'DASHBOARD_JWKS_URL: not together with DASHBOARD_JWT_SECRET, sessions are verified one way'
  }
  if (env.DASHBOARD_JWT_SECRET && env.GRANTD_SECRET.includes(env.DASHBOARD_JWT_SECRET)) {
    yield 'DASHBOARD_JWT_SECRET: must differ from GRANTD_SECRET, one secret serves one purpose'
  }
  if (env.REDIS_URL) {
    if (env.GRANTD_SECRET.length === 0) yield 'GRANTD_SECRET: mandatory with REDIS_URL'
    if (!env.DASHBOARD_JWT_SECRET && !env.DASHBOARD_JWKS_URL) {
      yield 'DASHBOARD_JWT_SECRET: mandatory with REDIS_URL, unless DASHBOARD_JWKS_URL is set'
    }
  }
}

/** No part of it means something to a router or has two spellings. */
const PLAIN_PATH = /^https?:\/\/[^/]+(\/[A-Za-z0-9._~-]+)*\/*$/

/** Plain http is good enough only where nothing leaves the machine. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username || url.password) return false
  return url.protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
}

/** A range that holds everybody (or all of IPv4, mapped) would let anybody choose the address they are limited by. */
function isNarrowRange(range: string): boolean {
  // The library reads old short forms such as 10.0.0/8 as well; nobody should have to know what they mean.
  if (isIP(range.split('/', 1)[0] ?? '') === 0) return false
  if (!range.includes('/')) return true
  if (!ipaddr.isValidCIDR(range)) return false
  const [network, bits] = ipaddr.parseCIDR(range)
  return bits > (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() ? 96 : 0)
}

function assemble(env: Environment, moreClients: readonly OAuthClient[]): Config {
  const madeUpSecrets: string[] = []
  const orMadeUp = (name: string, value: string | undefined) => {
    if (value !== undefined) return value
    madeUpSecrets.push(name)
    return randomBytes(32).toString('base64url')
  }
  const publicUrl = (env.PUBLIC_URL ?? `http://localhost:${env.PORT}`).replace(/\/+$/, '')
  return {
    host: env.HOST,
    port: env.PORT,
    publicUrl,
    expectedIssuer: env.PUBLIC_URL && publicUrl,
    verificationUri: env.VERIFICATION_URI ?? `${publicUrl}/device`,
    corsOrigins: env.CORS_ORIGINS,
    redis: env.REDIS_URL ? { url: env.REDIS_URL, prefix: env.REDIS_PREFIX } : undefined,
    secrets: env.GRANTD_SECRET.length > 0 ? env.GRANTD_SECRET : [orMadeUp('GRANTD_SECRET', undefined)],
    dashboard: {
      key: env.DASHBOARD_JWKS_URL
        ? { jwksUrl: env.DASHBOARD_JWKS_URL }
        : { secret: orMadeUp('DASHBOARD_JWT_SECRET', env.DASHBOARD_JWT_SECRET) },
      issuer: env.DASHBOARD_JWT_ISSUER,
      audience: env.DASHBOARD_JWT_AUDIENCE
    },
    oauthClients: [...builtInClients(env.CLIENT_TOKEN_TTL_SECONDS), ...moreClients],
    grantTtlSeconds: env.GRANT_TTL_SECONDS,
    pollIntervalSeconds: env.POLL_INTERVAL_SECONDS,
    clientTokenTtlSeconds: env.CLIENT_TOKEN_TTL_SECONDS,
    signingAlg: env.SIGNING_ALG,
    trustProxy: env.TRUST_PROXY,
    edgeHeaders: env.EDGE_HEADERS,
    logLevel: env.LOG_LEVEL,
    limits:
      env.LIMITS === 'off'
        ? 'off'
        : {
            startPerMinute: env.LIMIT_START_PER_MINUTE,
            peekPerMinute: env.LIMIT_PEEK_PER_MINUTE,
            approvePerMinute: env.LIMIT_APPROVE_PER_MINUTE,
            refreshPerMinute: env.LIMIT_REFRESH_PER_MINUTE,
            revokePerMinute: env.LIMIT_REVOKE_PER_MINUTE,
            introspectPerMinute: env.LIMIT_INTROSPECT_PER_MINUTE,
            userinfoPerMinute: env.LIMIT_USERINFO_PER_MINUTE,
            missesPerUser: env.LIMIT_MISSES_PER_USER,
            missesPerIp: env.LIMIT_MISSES_PER_IP
          },
    heldPolls: env.HELD_POLLS,
    shutdownDelaySeconds: env.SHUTDOWN_DELAY_SECONDS,
    madeUpSecrets
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
