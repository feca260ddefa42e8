/**
 * Turns the environment into one frozen configuration, or refuses with every fault at once. The variables themselves are
 * described in schemas/config.ts, the checks that look at more than their shape are in config-faults.ts.
 */
import { randomBytes } from 'node:crypto'
import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { type Environment, EnvironmentSchema } from '../../schemas/config.js'
import { builtInClients, type Client } from '../core/clients/client.js'
import type { Upstream } from '../core/upstream/upstream.js'
import { readClientsFile } from './clients-file.js'
import { crossFaults, isLoopback } from './faults.js'
import { readPemFile } from './pem-file.js'
import { assembleRedis, type RedisConfig, usesRedis } from './redis.js'
import { readUpstreamsFile } from './upstreams-file.js'

/** What the service runs by. Durations carry their unit in the name. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly publicUrl: string
  /** What `iss` and `aud` of a client JWT must be; undefined while PUBLIC_URL is a guess that every instance makes for itself. */
  readonly expectedIssuer: string | undefined
  readonly verificationUri: string
  readonly corsOrigins: readonly string[]
  readonly redis: RedisConfig | undefined
  readonly secrets: readonly string[]
  readonly dashboard: {
    readonly key: { readonly secret: string } | { readonly jwksUrl: string }
    readonly issuer: string | undefined
    readonly audience: string | undefined
  }
  /** All of them, the built-in ones first. */
  readonly clients: readonly Client[]
  readonly upstreams: readonly Upstream[]
  /** Signing in by typing a name: for trying out on this machine alone. */
  readonly demoSignIn: boolean
  /** What the pages call the service. */
  readonly serviceName: string
  readonly environmentId: string | undefined
  readonly tokensApi: {
    readonly baseDomain: string | undefined
    readonly signingAlg: Environment['PROVIDER_SIGNING_ALG']
    readonly keySeconds: number
    readonly dnsResolver: string | undefined
    readonly foreignIssuers: { readonly ca: string | undefined; readonly allowLoopback: boolean }
  }
  readonly sessions: {
    readonly idleSeconds: number
    readonly ttlSeconds: number
    readonly consentMaxAuthAgeSeconds: number
  }
  readonly grantTtlSeconds: number
  readonly pollIntervalSeconds: number
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
  readonly signInPerMinute: number
  readonly accessTokenPerMinute: number
  readonly tokensApiPerHour: number
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
  const crossed = [...crossFaults({ ...readValues({}), ...values } as Environment, malformed)]
  const clientsFile = readClientsFile(values.OAUTH_CLIENTS_FILE as string | undefined)
  const upstreamsFile = readUpstreamsFile(values.PROVIDERS_FILE as string | undefined)
  const foreignCaFile = readPemFile(values.FOREIGN_ISSUER_CA_FILE as string | undefined)
  const redisCaFile = readPemFile(values.REDIS_CA_FILE as string | undefined)
  const faults = [
    ...malformed.values(),
    ...crossed.filter((line) => !malformed.has(line.split(':', 1)[0] ?? '')),
    ...clientsFile.faults.map((line) => `OAUTH_CLIENTS_FILE: ${line}`),
    ...upstreamsFile.faults.map((line) => `PROVIDERS_FILE: ${line}`),
    ...foreignCaFile.faults.map((line) => `FOREIGN_ISSUER_CA_FILE: ${line}`),
    ...redisCaFile.faults.map((line) => `REDIS_CA_FILE: ${line}`)
  ]
  if (faults.length > 0) throw new ConfigError(faults)
  const env = values as Environment
  return deepFreeze(assemble(env, clientsFile.clients, upstreamsFile.upstreams, foreignCaFile.pem, redisCaFile.pem))
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

function assemble(
  env: Environment,
  moreClients: readonly Client[],
  upstreams: readonly Upstream[],
  foreignCa: string | undefined,
  redisCa: string | undefined
): Config {
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
    redis: usesRedis(env) ? assembleRedis(env, redisCa) : undefined,
    secrets: env.GRANTD_SECRET.length > 0 ? env.GRANTD_SECRET : [orMadeUp('GRANTD_SECRET', undefined)],
    dashboard: {
      key: env.DASHBOARD_JWKS_URL
        ? { jwksUrl: env.DASHBOARD_JWKS_URL }
        : { secret: orMadeUp('DASHBOARD_JWT_SECRET', env.DASHBOARD_JWT_SECRET) },
      issuer: env.DASHBOARD_JWT_ISSUER,
      audience: env.DASHBOARD_JWT_AUDIENCE
    },
    clients: [...builtInClients(env.CLIENT_TOKEN_TTL_SECONDS), ...moreClients],
    upstreams,
    demoSignIn:
      !usesRedis(env) && upstreams.length === 0 && isLoopback(env.HOST) && isLoopback(new URL(publicUrl).hostname),
    serviceName: env.SERVICE_NAME,
    environmentId: env.ENVIRONMENT_ID,
    tokensApi: {
      baseDomain: env.TOKENS_BASE_DOMAIN,
      signingAlg: env.PROVIDER_SIGNING_ALG,
      keySeconds: env.PROVIDER_KEY_SECONDS,
      dnsResolver: env.DNS_RESOLVER,
      foreignIssuers: { ca: foreignCa, allowLoopback: env.FOREIGN_ISSUERS_ON_LOOPBACK === 'on' }
    },
    sessions: {
      idleSeconds: env.SESSION_IDLE_SECONDS,
      ttlSeconds: env.SESSION_TTL_SECONDS,
      consentMaxAuthAgeSeconds: env.CONSENT_MAX_AUTH_AGE_SECONDS
    },
    grantTtlSeconds: env.GRANT_TTL_SECONDS,
    pollIntervalSeconds: env.POLL_INTERVAL_SECONDS,
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
            signInPerMinute: env.LIMIT_SIGN_IN_PER_MINUTE,
            accessTokenPerMinute: env.LIMIT_ACCESS_TOKEN_PER_MINUTE,
            tokensApiPerHour: env.LIMIT_TOKENS_API_PER_HOUR,
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
