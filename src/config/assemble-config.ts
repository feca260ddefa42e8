/** Builds the configuration from the checked values of the environment and its files. */
import { randomBytes } from 'node:crypto'
import type { ClientEntry } from '../../schemas/clients-file.js'
import type { Environment } from '../../schemas/config.js'
import { builtInClients, type Client, GRANT_TYPES } from '../core/clients/client.js'
import type { Resource } from '../core/clients/resource.js'
import type { Rule } from '../core/rules/rule.js'
import type { Upstream } from '../core/upstream/upstream.js'
import type { WebhookEndpoint } from '../core/webhooks/endpoint.js'
import { accentsOf } from './brand-color.js'
import { isOff, overridden } from './built-in-overrides.js'
import type { Config } from './config.js'
import { isDemo, isThisMachine } from './faults.js'
import { assembleRedis, usesRedis } from './redis.js'
import type { StrayVariable } from './stray-variables.js'
import { assembleTracing } from './tracing.js'

/** Seconds. The load balancers of the clouds keep idle connections for 600 at most, and browsers leave sooner than 72. */
const KEEP_ALIVE = { behindProxy: 620, alone: 72 }

/** What else there is: the contents of the files that the environment names, and what of it is not read. */
export interface ConfigFiles {
  clients: readonly Client[]
  /** The entries of built-in clients. */
  overrides: readonly ClientEntry[]
  resources: readonly Resource[]
  rules: readonly Rule[]
  upstreams: readonly Upstream[]
  webhooks: readonly WebhookEndpoint[]
  /** Who may see the admin pages. */
  admins: readonly string[]
  /** CA certificates for foreign issuers and for Redis, as PEM. */
  foreignCa: string | undefined
  redisCa: string | undefined
  /** An SVG that is safe to serve. */
  logo: string | undefined
  strayVariables: readonly StrayVariable[]
}

/** The URL of this service, without a trailing slash. */
export function publicUrlOf({ PUBLIC_URL, PORT }: Pick<Environment, 'PUBLIC_URL' | 'PORT'>): string {
  return (PUBLIC_URL ?? `http://localhost:${PORT}`).replace(/\/+$/, '')
}

/** Fills in the remaining defaults, and random secrets where none are set. The values must have passed all checks. */
export function assembleConfig(env: Environment, files: ConfigFiles): Config {
  const {
    clients,
    overrides,
    resources,
    rules,
    upstreams,
    webhooks,
    admins,
    foreignCa,
    redisCa,
    logo,
    strayVariables
  } = files
  const madeUpSecrets: string[] = []
  const madeUp = (name: string) => {
    madeUpSecrets.push(name)
    return randomBytes(32).toString('base64url')
  }
  const publicUrl = publicUrlOf(env)
  const isAlone = !usesRedis(env) && isThisMachine(env.HOST) && isThisMachine(new URL(publicUrl).hostname)
  const demoSignIn = upstreams.length === 0 && (isAlone || isDemo(env))
  const builtIn = builtInClients(env.CLIENT_TOKEN_TTL_SECONDS, resources).map((client) => overridden(client, overrides))
  const other = builtIn.find(({ id }) => id === 'other') as Client
  return deepFreeze<Config>({
    host: env.HOST,
    port: env.PORT,
    publicUrl,
    expectedIssuer: env.PUBLIC_URL && publicUrl,
    verificationUri: env.VERIFICATION_URI ?? `${publicUrl}/device`,
    corsOrigins: env.CORS_ORIGINS,
    redis: usesRedis(env) ? assembleRedis(env, redisCa) : undefined,
    secrets: env.GRANTD_SECRET.length > 0 ? env.GRANTD_SECRET : [madeUp('GRANTD_SECRET')],
    dashboard: {
      // Where people sign in at providers, there may be no dashboard at all.
      secrets:
        env.DASHBOARD_JWT_SECRET.length > 0 || env.DASHBOARD_JWKS_URL || upstreams.length > 0 || isDemo(env)
          ? env.DASHBOARD_JWT_SECRET
          : [madeUp('DASHBOARD_JWT_SECRET')],
      jwksUrl: env.DASHBOARD_JWKS_URL,
      issuer: env.DASHBOARD_JWT_ISSUER,
      audience: env.DASHBOARD_JWT_AUDIENCE,
      ttlSeconds: env.DASHBOARD_JWT_TTL_SECONDS
    },
    clients: [...builtIn.filter((client) => !isOff(client, overrides)), ...clients],
    // They have a switch of their own, and say in their documents which grants they use.
    clientsByUrlLike: { ...other, grantTypes: GRANT_TYPES },
    clientIdMetadata: readClientIdMetadata(env.CLIENT_ID_METADATA),
    rules,
    upstreams,
    webhooks,
    admins,
    demoSignIn,
    hasPages: upstreams.length > 0 || demoSignIn,
    serviceName: env.SERVICE_NAME,
    brand: { ...accentsOf(env.BRAND_COLOR), logo },
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
    tokenStatusList: env.TOKEN_STATUS_LIST === 'on',
    trustProxy: env.TRUST_PROXY,
    trustedCallers: env.TRUSTED_CALLERS,
    trustProxyHeader: env.TRUST_PROXY_HEADER,
    edgeHeaders: env.EDGE_HEADERS,
    showsDocs: (env.DOCS ?? (usesRedis(env) ? 'off' : 'on')) === 'on',
    logLevel: env.LOG_LEVEL,
    limits:
      env.LIMITS === 'off'
        ? 'off'
        : {
            startPerMinute: env.LIMIT_START_PER_MINUTE,
            clientMetadataPerMinute: env.LIMIT_CLIENT_METADATA_PER_MINUTE,
            peekPerMinute: env.LIMIT_PEEK_PER_MINUTE,
            approvePerMinute: env.LIMIT_APPROVE_PER_MINUTE,
            refreshPerMinute: env.LIMIT_REFRESH_PER_MINUTE,
            revokePerMinute: env.LIMIT_REVOKE_PER_MINUTE,
            introspectPerMinute: env.LIMIT_INTROSPECT_PER_MINUTE,
            userinfoPerMinute: env.LIMIT_USERINFO_PER_MINUTE,
            signInPerMinute: env.LIMIT_SIGN_IN_PER_MINUTE,
            accountPerMinute: env.LIMIT_ACCOUNT_PER_MINUTE,
            pagesPerMinute: env.LIMIT_PAGES_PER_MINUTE,
            accessTokenPerMinute: env.LIMIT_ACCESS_TOKEN_PER_MINUTE,
            tokensApiPerHour: env.LIMIT_TOKENS_API_PER_HOUR,
            missesPerUser: env.LIMIT_MISSES_PER_USER,
            missesPerIp: env.LIMIT_MISSES_PER_IP,
            wrongSecretsPerIp: env.LIMIT_WRONG_SECRETS_PER_IP,
            pendingPerIp: env.LIMIT_PENDING_PER_IP,
            pendingPerClient: env.LIMIT_PENDING_PER_CLIENT
          },
    eventsKept: env.EVENTS_KEPT,
    auditLog: env.AUDIT_LOG,
    heldPolls: env.HELD_POLLS,
    keepAliveSeconds:
      env.KEEP_ALIVE_SECONDS ?? (env.TRUST_PROXY.length > 0 ? KEEP_ALIVE.behindProxy : KEEP_ALIVE.alone),
    shutdownDelaySeconds: env.SHUTDOWN_DELAY_SECONDS,
    tracing: assembleTracing(env),
    madeUpSecrets,
    strayVariables
  })
}

const readClientIdMetadata = (text: string): Config['clientIdMetadata'] =>
  text === 'on' || text === 'off' ? text : text.split(',').map((host) => host.trim())

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
