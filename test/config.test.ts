import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { EnvironmentSchema } from '../schemas/config.js'
import type { Config } from '../src/config/config.js'
import { ConfigError, loadConfig } from '../src/config/load-config.js'
import { distanceOf, strayVariables } from '../src/config/stray-variables.js'
import { builtInClients, DEVICE_CODE_GRANT, tagOf } from '../src/core/clients/client.js'

const SECRET = 'correct horse battery staple encrypting'
const DASHBOARD = 'correct horse battery staple dashboard!'
/** What is mandatory with DASHBOARD_JWKS_URL. */
const DASHBOARD_EXPECTS = { DASHBOARD_JWT_ISSUER: 'https://a.example', DASHBOARD_JWT_AUDIENCE: 'grantd' }
const SECRETS = { GRANTD_SECRET: SECRET, DASHBOARD_JWT_SECRET: DASHBOARD }
const REDIS = { REDIS_URL: 'redis://127.0.0.1:6379', ...SECRETS }
const CLUSTER = { REDIS_CLUSTER: '127.0.0.1:7000', ...SECRETS }
const SENTINELS = { REDIS_SENTINELS: '127.0.0.1:26379', REDIS_SENTINEL_NAME: 'grants', ...SECRETS }
const NOBODY = { username: undefined, password: undefined }

/** An OpenID Connect upstream with every member that an entry can have. */
const ACME = {
  ...{ id: 'acme', name: 'Acme', client_id: 'grantd', client_secret: 'of acme', issuer: 'https://acme.example' },
  ...{ token_endpoint_auth_method: 'client_secret_post', scope: 'openid email', subject_is_user_id: true },
  authorization_parameters: { access_type: 'offline' },
  reauthentication_parameters: { prompt: 'consent' },
  always_reauthenticates: true,
  groups_claim: 'https://acme.example/roles'
}
/** A plain OAuth 2.0 upstream with every member, which users can only connect. */
const WEBHOOK_SECRET = `whsec_${Buffer.from('what a receiver and the service know').toString('base64')}`
const WEBHOOK = {
  ...{ id: 'billing', url: 'https://billing.example/hook', secret: WEBHOOK_SECRET },
  types: ['grant.*', 'user.blocked']
}
const HUB = {
  ...{ id: 'hub', name: 'The Hub', client_id: 'grantd-at-the-hub', sign_in: false },
  authorization_endpoint: 'https://hub.example/authorize',
  token_endpoint: 'https://hub.example/token',
  userinfo_endpoint: 'https://hub.example/user',
  revocation_endpoint: 'https://hub.example/revoke',
  ...{ subject_member: 'uid', username_member: 'nick', name_member: 'full_name' }
}

/** Rules with every member that a rule can have. */
const RULES = [
  {
    when: {
      ...{ client_id: ['acme'], client_type: ['cli', 'mcp'], flow: 'device', country_not: ['NO', 'SE'] },
      ...{ country_mismatch: true, network_mismatch: true, user_agent_missing: true }
    },
    ...{ then: 'refuse', say: 'Not from there.' }
  },
  { name: 'again', when: {}, then: 'reauthenticate' }
]

/** Any certificate is good enough here. */
const CERTIFICATE = rootCertificates[0] as string

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'

/** Writes a file, which the test removes. Content that is not text is written as JSON. */
function fileOf(t: Pick<Test, 'teardown'>, content: unknown): string {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-config-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'file.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** Returns the faults of an environment, each a line that begins with its variable; none if it is valid. */
function faultsOf(variables: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(variables)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

/** Returns a value in characters that every test reporter can print. */
const titleOf = (value: unknown) =>
  JSON.stringify(value)
    .replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .slice(0, 80)

const namesOf = (variables: Record<string, string | undefined>) => faultsOf(variables).map((line) => line.split(':')[0])

t.test('an empty environment gives a service to try out', async (t) => {
  const { secrets, dashboard, clients, clientsByUrlLike, ...rest } = loadConfig({})
  t.same(rest, {
    host: '127.0.0.1',
    port: 3333,
    publicUrl: 'http://localhost:3333',
    expectedIssuer: undefined,
    verificationUri: 'http://localhost:3333/device',
    corsOrigins: [],
    redis: undefined,
    rules: [],
    upstreams: [],
    webhooks: [],
    admins: [],
    demoSignIn: true,
    hasPages: true,
    serviceName: 'grantd',
    brand: {
      light: { color: '#0b57c4', onColor: '#ffffff', pressed: '#0947a1' },
      dark: { color: '#6ca5f7', onColor: '#0d0f12', pressed: '#91bcf9' },
      logo: undefined
    },
    environmentId: undefined,
    tokensApi: {
      ...{ baseDomain: undefined, signingAlg: 'RS256', keySeconds: 86_400, dnsResolver: undefined },
      foreignIssuers: { ca: undefined, allowLoopback: false }
    },
    sessions: { idleSeconds: 3_600, ttlSeconds: 43_200, consentMaxAuthAgeSeconds: 3_600 },
    grantTtlSeconds: 900,
    pollIntervalSeconds: 5,
    tokenStatusList: false,
    clientIdMetadata: 'off',
    signingAlg: 'RS256',
    trustProxy: [],
    trustedCallers: [],
    trustProxyHeader: 'x-forwarded-for',
    edgeHeaders: undefined,
    showsDocs: true,
    logLevel: 'info',
    limits: {
      startPerMinute: 30,
      clientMetadataPerMinute: 20,
      peekPerMinute: 60,
      approvePerMinute: 30,
      refreshPerMinute: 120,
      revokePerMinute: 60,
      introspectPerMinute: 6_000,
      userinfoPerMinute: 120,
      signInPerMinute: 30,
      accessTokenPerMinute: 600,
      tokensApiPerHour: 1_000,
      missesPerUser: 5,
      missesPerIp: 100,
      accountPerMinute: 120,
      pagesPerMinute: 600,
      wrongSecretsPerIp: 10,
      pendingPerIp: 200,
      pendingPerClient: 100_000
    },
    eventsKept: 100_000,
    auditLog: 'off',
    heldPolls: 10_000,
    keepAliveSeconds: 72,
    shutdownDelaySeconds: 0,
    tracing: undefined,
    madeUpSecrets: ['GRANTD_SECRET', 'DASHBOARD_JWT_SECRET'],
    strayVariables: []
  })
  t.same(clientsByUrlLike, clients[4])
  t.same(clients, builtInClients(2_592_000))
  t.equal(secrets.length, 1)
  t.ok(String(secrets[0]).length >= 43)
  t.match(dashboard, { issuer: undefined, audience: undefined, ttlSeconds: 86_400, jwksUrl: undefined })
  t.match(dashboard.secrets, [/^[\w-]{43}$/])
  t.equal(dashboard.secrets.length, 1)
  t.not(dashboard.secrets[0], secrets[0])
  t.not(loadConfig({}).secrets[0], secrets[0], 'made up anew each time')
})

t.test('every variable is read', async (t) => {
  const config = loadConfig({
    HOST: '::',
    PORT: '8080',
    PUBLIC_URL: 'https://grants.example/base//',
    VERIFICATION_URI: 'https://www.example/activate',
    CORS_ORIGINS: 'https://a.example, https://b.example:8443',
    REDIS_URL: 'rediss://:password@redis.example:6380/3',
    REDIS_PREFIX: 'g1.a-b_c:',
    REDIS_CA_FILE: fileOf(t, CERTIFICATE),
    REDIS_TIMEOUT_MS: '2000',
    REDIS_WAIT_REPLICAS: '2',
    GRANTD_SECRET: `${SECRET},${SECRET} and an older one`,
    DASHBOARD_JWT_SECRET: `${DASHBOARD}, ${DASHBOARD} and an older one`,
    DASHBOARD_JWKS_URL: 'https://dashboard.example/jwks.json',
    DASHBOARD_JWT_ISSUER: 'https://dashboard.example',
    DASHBOARD_JWT_AUDIENCE: 'grantd',
    DASHBOARD_JWT_TTL_SECONDS: '7201',
    OAUTH_CLIENTS_FILE: fileOf(t, { clients: [{ client_id: 'acme', scope: 'openid' }] }),
    RULES_FILE: fileOf(t, RULES),
    PROVIDERS_FILE: fileOf(t, { providers: [ACME, HUB] }),
    WEBHOOKS_FILE: fileOf(t, [WEBHOOK]),
    ADMINS: 'user:ann,identity:acme:a b, group:acme:cn=ops%2Cdc=acme',
    SERVICE_NAME: 'Acme Büro',
    BRAND_COLOR: '#B03',
    BRAND_LOGO_FILE: fileOf(t, LOGO),
    ENVIRONMENT_ID: '0123abcd-0123-4567-89ab-0123456789ab',
    TOKENS_BASE_DOMAIN: 'tokens.example.com',
    PROVIDER_SIGNING_ALG: 'ES256',
    PROVIDER_KEY_SECONDS: '7200',
    DNS_RESOLVER: '[2001:db8::53]:5353',
    FOREIGN_ISSUER_CA_FILE: fileOf(t, CERTIFICATE),
    FOREIGN_ISSUERS_ON_LOOPBACK: 'on',
    SESSION_IDLE_SECONDS: '601',
    SESSION_TTL_SECONDS: '602',
    CONSENT_MAX_AUTH_AGE_SECONDS: '603',
    GRANT_TTL_SECONDS: '600',
    POLL_INTERVAL_SECONDS: '7',
    CLIENT_TOKEN_TTL_SECONDS: '3600',
    TOKEN_STATUS_LIST: 'on',
    CLIENT_ID_METADATA: 'mcp.example.com, localhost:8443',
    SIGNING_ALG: 'EdDSA',
    TRUST_PROXY: '10.0.0.0/8,2001:db8::/32, 192.0.2.1',
    TRUST_PROXY_HEADER: 'forwarded',
    EDGE_HEADERS: 'cloudflare',
    DOCS: 'on',
    LOG_LEVEL: 'debug',
    LIMITS: 'on',
    LIMIT_START_PER_MINUTE: '1',
    LIMIT_CLIENT_METADATA_PER_MINUTE: '21',
    LIMIT_PEEK_PER_MINUTE: '2',
    LIMIT_APPROVE_PER_MINUTE: '3',
    LIMIT_REFRESH_PER_MINUTE: '4',
    LIMIT_REVOKE_PER_MINUTE: '5',
    LIMIT_INTROSPECT_PER_MINUTE: '6',
    LIMIT_USERINFO_PER_MINUTE: '7',
    LIMIT_SIGN_IN_PER_MINUTE: '8',
    LIMIT_ACCOUNT_PER_MINUTE: '16',
    LIMIT_PAGES_PER_MINUTE: '17',
    LIMIT_ACCESS_TOKEN_PER_MINUTE: '9',
    LIMIT_TOKENS_API_PER_HOUR: '14',
    LIMIT_MISSES_PER_USER: '10',
    LIMIT_MISSES_PER_IP: '11',
    LIMIT_WRONG_SECRETS_PER_IP: '18',
    LIMIT_PENDING_PER_IP: '19',
    LIMIT_PENDING_PER_CLIENT: '20',
    TRUSTED_CALLERS: '192.0.2.7, 2001:db8:1::/48',
    EVENTS_KEPT: '22',
    AUDIT_LOG: 'stdout',
    HELD_POLLS: '12',
    KEEP_ALIVE_SECONDS: '15',
    SHUTDOWN_DELAY_SECONDS: '13',
    SOMETHING_ELSE: 'is nobody’s business',
    GRANT_TTL_SECOND: '5'
  })
  t.same(config, {
    host: '::',
    port: 8080,
    tokenStatusList: true,
    clientIdMetadata: ['mcp.example.com', 'localhost:8443'],
    publicUrl: 'https://grants.example/base',
    expectedIssuer: 'https://grants.example/base',
    verificationUri: 'https://www.example/activate',
    corsOrigins: ['https://a.example', 'https://b.example:8443'],
    redis: {
      place: { kind: 'single', url: 'rediss://:password@redis.example:6380/3' },
      ...{ user: NOBODY, sentinelUser: NOBODY, tls: { ca: CERTIFICATE } },
      ...{ prefix: 'g1.a-b_c:', timeoutMs: 2_000, waitReplicas: 2 }
    },
    secrets: [SECRET, `${SECRET} and an older one`],
    dashboard: {
      secrets: [DASHBOARD, `${DASHBOARD} and an older one`],
      jwksUrl: 'https://dashboard.example/jwks.json',
      issuer: 'https://dashboard.example',
      audience: 'grantd',
      ttlSeconds: 7_201
    },
    clients: [
      ...builtInClients(3_600),
      {
        ...{
          id: 'acme',
          name: undefined,
          type: 'other',
          secretDigests: [],
          grantTypes: [DEVICE_CODE_GRANT, 'refresh_token']
        },
        redirectUris: [],
        ...{
          resources: [],
          optionalScopes: [],
          deviceScopes: undefined,
          scopes: ['openid'],
          accessTokenTtlSeconds: 3_600,
          authorizationTtlSeconds: 2_592_000,
          tag: tagOf('acme')
        }
      }
    ],
    clientsByUrlLike: builtInClients(3_600)[4],
    rules: [
      {
        name: '1',
        when: {
          ...{ clientIds: ['acme'], clientTypes: ['cli', 'mcp'], flows: ['device'], countryNot: ['NO', 'SE'] },
          ...{ countryMismatch: true, networkMismatch: true, userAgentMissing: true }
        },
        ...{ consequence: 'refuse', say: 'Not from there.' }
      },
      { name: 'again', when: {}, consequence: 'reauthenticate', say: undefined }
    ],
    upstreams: [
      {
        ...{ id: 'acme', name: 'Acme', clientId: 'grantd', clientSecret: 'of acme', authMethod: 'client_secret_post' },
        ...{ scope: 'openid email', authorizationParameters: { access_type: 'offline' } },
        ...{ reauthenticationParameters: { prompt: 'consent' }, signsIn: true, subjectIsUserId: true },
        alwaysReauthenticates: true,
        groupsClaim: 'https://acme.example/roles',
        endpoints: { issuer: 'https://acme.example' }
      },
      {
        ...{ id: 'hub', name: 'The Hub', clientId: 'grantd-at-the-hub', clientSecret: undefined },
        ...{
          authMethod: 'client_secret_basic',
          scope: '',
          authorizationParameters: {},
          reauthenticationParameters: {}
        },
        ...{ signsIn: false, subjectIsUserId: false, alwaysReauthenticates: false },
        endpoints: {
          ...{ authorization: 'https://hub.example/authorize', token: 'https://hub.example/token' },
          ...{ userinfo: 'https://hub.example/user', revocation: 'https://hub.example/revoke' },
          ...{ subjectMember: 'uid', usernameMember: 'nick', nameMember: 'full_name' }
        }
      }
    ],
    webhooks: [
      {
        ...{ id: 'billing', url: 'https://billing.example/hook', secrets: [WEBHOOK_SECRET] },
        ...{ types: ['grant.*', 'user.blocked'], isInternal: false }
      }
    ],
    admins: ['user:ann', 'identity:acme:a b', 'group:acme:cn=ops,dc=acme'],
    demoSignIn: false,
    hasPages: true,
    serviceName: 'Acme Büro',
    brand: {
      light: { color: '#bb0033', onColor: '#ffffff', pressed: '#99002a' },
      dark: { color: '#ff749a', onColor: '#0d0f12', pressed: '#ff97b3' },
      logo: LOGO
    },
    environmentId: '0123abcd-0123-4567-89ab-0123456789ab',
    tokensApi: {
      ...{ baseDomain: 'tokens.example.com', signingAlg: 'ES256', keySeconds: 7_200 },
      ...{ dnsResolver: '[2001:db8::53]:5353', foreignIssuers: { ca: CERTIFICATE, allowLoopback: true } }
    },
    sessions: { idleSeconds: 601, ttlSeconds: 602, consentMaxAuthAgeSeconds: 603 },
    grantTtlSeconds: 600,
    pollIntervalSeconds: 7,
    signingAlg: 'EdDSA',
    trustProxy: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    trustedCallers: ['192.0.2.7', '2001:db8:1::/48'],
    trustProxyHeader: 'forwarded',
    edgeHeaders: 'cloudflare',
    showsDocs: true,
    logLevel: 'debug',
    limits: {
      startPerMinute: 1,
      clientMetadataPerMinute: 21,
      peekPerMinute: 2,
      approvePerMinute: 3,
      refreshPerMinute: 4,
      revokePerMinute: 5,
      introspectPerMinute: 6,
      userinfoPerMinute: 7,
      signInPerMinute: 8,
      accessTokenPerMinute: 9,
      tokensApiPerHour: 14,
      missesPerUser: 10,
      missesPerIp: 11,
      accountPerMinute: 16,
      pagesPerMinute: 17,
      wrongSecretsPerIp: 18,
      pendingPerIp: 19,
      pendingPerClient: 20
    },
    eventsKept: 22,
    auditLog: 'stdout',
    heldPolls: 12,
    keepAliveSeconds: 15,
    shutdownDelaySeconds: 13,
    madeUpSecrets: [],
    strayVariables: [{ name: 'GRANT_TTL_SECOND', meant: 'GRANT_TTL_SECONDS' }]
  })
  t.same(loadConfig({ LIMITS: 'off' }).limits, 'off')
  t.equal(loadConfig({ PORT: '4000' }).publicUrl, 'http://localhost:4000')
  t.equal(loadConfig({ PUBLIC_URL: 'https://grants.example' }).verificationUri, 'https://grants.example/device')
})

t.test('Redis behind Sentinels, and in a Cluster', async (t) => {
  const { REDIS_URL, ...secrets } = REDIS
  const user = { REDIS_USERNAME: 'grantd', REDIS_PASSWORD: 'p,w', REDIS_TLS: 'on' }
  const sentinels = {
    ...{ REDIS_SENTINELS: 'sentinel-1:26379, [2001:db8::1]:26380', REDIS_SENTINEL_NAME: 'grants' },
    ...{ REDIS_SENTINEL_USERNAME: 'watcher', REDIS_SENTINEL_PASSWORD: 'sp' }
  }
  const common = { user: { username: 'grantd', password: 'p,w' }, tls: { ca: undefined }, prefix: 'grantd:' }
  t.same(loadConfig({ ...secrets, ...user, ...sentinels }).redis, {
    place: {
      kind: 'sentinel',
      sentinels: [
        { host: 'sentinel-1', port: 26_379 },
        { host: '2001:db8::1', port: 26_380 }
      ],
      name: 'grants'
    },
    ...common,
    ...{ sentinelUser: { username: 'watcher', password: 'sp' }, timeoutMs: 1_000, waitReplicas: 0 }
  })
  t.same(loadConfig({ ...secrets, ...user, REDIS_CLUSTER: '127.0.0.1:7000' }).redis, {
    place: { kind: 'cluster', seeds: [{ host: '127.0.0.1', port: 7_000 }] },
    ...common,
    ...{ sentinelUser: NOBODY, timeoutMs: 1_000, waitReplicas: 0 }
  })

  const cases: [Record<string, string>, string[]][] = [
    [{ ...secrets, REDIS_URL: 'redis://a', REDIS_CLUSTER: 'a:1' }, ['REDIS_CLUSTER: not together with REDIS_URL']],
    [{ ...secrets, ...sentinels, REDIS_CLUSTER: 'a:1' }, ['REDIS_CLUSTER: not together with REDIS_SENTINELS']],
    [{ ...secrets, REDIS_SENTINELS: 'a:1' }, ['REDIS_SENTINEL_NAME: mandatory with REDIS_SENTINELS']],
    [
      { ...secrets, REDIS_CLUSTER: 'a:1', REDIS_SENTINEL_NAME: 'x' },
      ['REDIS_SENTINEL_NAME: only with REDIS_SENTINELS']
    ],
    [{ REDIS_SENTINEL_USERNAME: 'x' }, ['REDIS_SENTINEL_USERNAME: only with REDIS_SENTINELS']],
    [{ REDIS_SENTINEL_PASSWORD: 'x' }, ['REDIS_SENTINEL_PASSWORD: only with REDIS_SENTINELS']],
    [{ ...REDIS, REDIS_PASSWORD: 'x' }, ['REDIS_PASSWORD: not with REDIS_URL']],
    [{ REDIS_USERNAME: 'x' }, ['REDIS_USERNAME: only with REDIS_SENTINELS or REDIS_CLUSTER']],
    [{ ...REDIS, REDIS_TLS: 'on' }, ['REDIS_TLS: not with REDIS_URL']],
    [{ REDIS_TLS: 'on' }, ['REDIS_TLS: only with REDIS_SENTINELS or REDIS_CLUSTER']],
    [{ ...REDIS, REDIS_CA_FILE: fileOf(t, CERTIFICATE) }, ['REDIS_CA_FILE: only with TLS']],
    [{ REDIS_WAIT_REPLICAS: '1' }, ['REDIS_WAIT_REPLICAS: only with Redis']],
    [{ REDIS_CLUSTER: 'a:1' }, ['GRANTD_SECRET: mandatory with REDIS_CLUSTER', 'DASHBOARD_JWT_SECRET: mandatory with']]
  ]
  for (const [variables, starts] of cases) {
    const faults = faultsOf(variables)
    t.same(
      faults.map((fault, i) => fault.slice(0, starts[i]?.length)),
      starts
    )
  }
  t.match(faultsOf({ ...secrets, REDIS_CLUSTER: 'a:1', REDIS_TLS: 'on', REDIS_CA_FILE: fileOf(t, 'x') }), [
    /^REDIS_CA_FILE: holds no certificate/
  ])
})

const numbers: [
  name: string,
  minimum: number,
  maximum: number,
  fallback: number,
  of: (config: Config) => unknown,
  besides?: Record<string, string>
][] = [
  ['REDIS_TIMEOUT_MS', 200, 30_000, 1_000, ({ redis }) => redis?.timeoutMs, REDIS],
  ['REDIS_WAIT_REPLICAS', 0, 5, 0, ({ redis }) => redis?.waitReplicas, REDIS],
  ['PORT', 0, 65_535, 3_333, ({ port }) => port],
  ['SESSION_IDLE_SECONDS', 60, 86_400, 3_600, ({ sessions }) => sessions.idleSeconds],
  ['SESSION_TTL_SECONDS', 300, 86_400, 43_200, ({ sessions }) => sessions.ttlSeconds],
  ['CONSENT_MAX_AUTH_AGE_SECONDS', 60, 86_400, 3_600, ({ sessions }) => sessions.consentMaxAuthAgeSeconds],
  ['DASHBOARD_JWT_TTL_SECONDS', 60, 31_536_000, 86_400, ({ dashboard }) => dashboard.ttlSeconds],
  ['GRANT_TTL_SECONDS', 10, 900, 900, (config) => config.grantTtlSeconds],
  ['POLL_INTERVAL_SECONDS', 1, 60, 5, (config) => config.pollIntervalSeconds],
  ['CLIENT_TOKEN_TTL_SECONDS', 60, 2_592_000, 2_592_000, (config) => config.clients[0]?.accessTokenTtlSeconds],
  [
    'LIMIT_CLIENT_METADATA_PER_MINUTE',
    ...([1, 100_000, 20] as const),
    ({ limits }) => limits !== 'off' && limits.clientMetadataPerMinute
  ],
  ['LIMIT_START_PER_MINUTE', 1, 100_000, 30, ({ limits }) => limits !== 'off' && limits.startPerMinute],
  ['LIMIT_PEEK_PER_MINUTE', 1, 100_000, 60, ({ limits }) => limits !== 'off' && limits.peekPerMinute],
  ['LIMIT_APPROVE_PER_MINUTE', 1, 100_000, 30, ({ limits }) => limits !== 'off' && limits.approvePerMinute],
  ['LIMIT_REFRESH_PER_MINUTE', 1, 100_000, 120, ({ limits }) => limits !== 'off' && limits.refreshPerMinute],
  ['LIMIT_REVOKE_PER_MINUTE', 1, 100_000, 60, ({ limits }) => limits !== 'off' && limits.revokePerMinute],
  ['LIMIT_INTROSPECT_PER_MINUTE', 1, 1_000_000, 6_000, ({ limits }) => limits !== 'off' && limits.introspectPerMinute],
  ['LIMIT_USERINFO_PER_MINUTE', 1, 100_000, 120, ({ limits }) => limits !== 'off' && limits.userinfoPerMinute],
  ['LIMIT_SIGN_IN_PER_MINUTE', 1, 100_000, 30, ({ limits }) => limits !== 'off' && limits.signInPerMinute],
  ['LIMIT_ACCESS_TOKEN_PER_MINUTE', 1, 1_000_000, 600, ({ limits }) => limits !== 'off' && limits.accessTokenPerMinute],
  ['LIMIT_TOKENS_API_PER_HOUR', 1, 10_000_000, 1_000, ({ limits }) => limits !== 'off' && limits.tokensApiPerHour],
  ['PROVIDER_KEY_SECONDS', 3_600, 31_536_000, 86_400, ({ tokensApi }) => tokensApi.keySeconds],
  ['LIMIT_MISSES_PER_USER', 1, 1_000, 5, ({ limits }) => limits !== 'off' && limits.missesPerUser],
  ['LIMIT_MISSES_PER_IP', 1, 10_000, 100, ({ limits }) => limits !== 'off' && limits.missesPerIp],
  ['LIMIT_ACCOUNT_PER_MINUTE', 1, 100_000, 120, ({ limits }) => limits !== 'off' && limits.accountPerMinute],
  ['LIMIT_PAGES_PER_MINUTE', 1, 100_000, 600, ({ limits }) => limits !== 'off' && limits.pagesPerMinute],
  ['LIMIT_WRONG_SECRETS_PER_IP', 1, 10_000, 10, ({ limits }) => limits !== 'off' && limits.wrongSecretsPerIp],
  ['LIMIT_PENDING_PER_IP', 1, 100_000, 200, ({ limits }) => limits !== 'off' && limits.pendingPerIp],
  ['LIMIT_PENDING_PER_CLIENT', 1, 1_000_000, 100_000, ({ limits }) => limits !== 'off' && limits.pendingPerClient],
  ['EVENTS_KEPT', 0, 10_000_000, 100_000, (config) => config.eventsKept],
  ['HELD_POLLS', 0, 100_000, 10_000, (config) => config.heldPolls],
  ['KEEP_ALIVE_SECONDS', 1, 3_600, 72, (config) => config.keepAliveSeconds],
  ['SHUTDOWN_DELAY_SECONDS', 0, 60, 0, (config) => config.shutdownDelaySeconds]
]

t.test('numbers', async (t) => {
  const inSchema = Object.entries(EnvironmentSchema.properties).filter(([, schema]) => schema.type === 'integer')
  t.same(inSchema.map(([name]) => name).sort(), numbers.map(([name]) => name).sort(), 'all of them are looked at')
  for (const [name, minimum, maximum, fallback, of, besides = {}] of numbers) {
    const load = (value?: string) => loadConfig({ ...besides, ...(value !== undefined && { [name]: value }) })
    t.test(`${name} is a whole number from ${minimum} to ${maximum}`, async (t) => {
      for (const good of [minimum, maximum]) t.equal(of(load(`${good}`)), good)
      t.equal(of(load()), fallback, 'default')
      t.equal(of(load('')), fallback, 'empty')
      t.equal(of(load(' \t')), fallback, 'blank')
      t.equal(of(load(` ${maximum}\n`)), maximum, 'space around it')
      const bad = [
        minimum - 1,
        maximum + 1,
        '1.5',
        '1e1',
        '0x10',
        '+1',
        '1_0',
        '１',
        'many',
        'NaN',
        'Infinity',
        '1 2',
        '9'.repeat(30)
      ]
      for (const value of bad) {
        const expected = [`${name}: expected a whole number from ${minimum} to ${maximum}`]
        t.same(faultsOf({ ...besides, [name]: `${value}` }), expected, `${value}`)
      }
    })
  }
})

const texts: Record<string, { good: string[]; bad: string[]; besides?: Record<string, string> }> = {
  HOST: { good: ['127.0.0.1', '::', 'localhost'], bad: [] },
  PUBLIC_URL: {
    good: [
      'https://a.example',
      'https://a.example:8443/base',
      'http://localhost:3333',
      'http://127.0.0.1',
      'http://[::1]:80'
    ],
    bad: [
      'http://a.example',
      'ftp://a.example',
      'a.example',
      'https://',
      'https://a.example?x=1',
      'https://a.example#x',
      'https://u:p@a.example',
      'https://u@a.example',
      'https://a b',
      'http://localhost.evil.example',
      'http://localhost@evil.example',
      'https://a.example:99999'
    ]
  },
  VERIFICATION_URI: {
    good: ['https://a.example/device', 'http://localhost/x'],
    bad: [
      'http://a.example/device',
      'https://a.example/?code=',
      'https://u:p@a.example/device',
      '/device',
      'javascript:alert(1)'
    ]
  },
  DASHBOARD_JWKS_URL: {
    good: ['https://a.example/jwks', 'http://127.0.0.1:9/jwks'],
    bad: ['http://a.example/jwks', 'https://u:p@a.example/jwks', 'file:///etc/passwd', 'jwks'],
    besides: DASHBOARD_EXPECTS
  },
  CORS_ORIGINS: {
    good: ['https://a.example', 'http://localhost:3000,https://a.example'],
    bad: [
      '*',
      'https://*.example',
      'https://a.example/',
      'a.example',
      'null',
      'https://a.example,',
      'https://a.example https://b.example'
    ]
  },
  REDIS_URL: {
    good: ['redis://localhost', 'rediss://u:p@h:1/2'],
    bad: ['http://localhost', 'localhost:6379', 'redis://', 'redis://a b'],
    besides: REDIS
  },
  REDIS_PREFIX: {
    good: ['a', 'A.b_c-d:1', 'x'.repeat(64)],
    bad: ['x'.repeat(65), 'a b', '{tag}', 'a{b', 'é', 'a*', 'a/b'],
    besides: REDIS
  },
  GRANTD_SECRET: {
    good: ['x'.repeat(32), `${'x'.repeat(32)},${'y'.repeat(40)}`, ` ${'x'.repeat(32)} , ${'y'.repeat(32)} `],
    bad: ['x'.repeat(31), `${'x'.repeat(32)},`, `,${'x'.repeat(32)}`, `${'x'.repeat(32)},short`, ',']
  },
  DASHBOARD_JWT_SECRET: {
    good: ['x'.repeat(32), `${'x'.repeat(32)}, ${'y'.repeat(40)}`],
    bad: ['x'.repeat(31), 'short', `${'x'.repeat(32)},`, `${'x'.repeat(32)},short`]
  },
  SIGNING_ALG: { good: ['RS256', 'ES256', 'EdDSA'], bad: ['HS256', 'none', 'rs256', 'RS512'] },
  TRUST_PROXY: {
    good: [
      '10.0.0.0/8',
      '192.0.2.1',
      '::1',
      'fd00::/8,10.0.0.1',
      '0.0.0.0/1',
      '10.0.0.0/32',
      '2001:db8::/128',
      '::ffff:10.0.0.0/104'
    ],
    bad: [
      '0.0.0.0/0',
      '10.0.0.0/0',
      '::/0',
      'true',
      '1',
      '*',
      'loopback',
      '10.0.0.0/33',
      '::/129',
      '10.0.0/8',
      '10.0.0.0/',
      '10.0.0.256',
      '10.0.0.1,',
      '10.0.0.0/255.0.0.0',
      '::ffff:0:0/96',
      '::ffff:0.0.0.0/96',
      '::FFFF:10.0.0.1/96',
      '10.0.0.0/8 10.0.0.1'
    ]
  },
  TRUSTED_CALLERS: {
    good: [
      '10.0.0.0/8',
      '192.0.2.1',
      '::1',
      'fd00::/8,10.0.0.1',
      '0.0.0.0/1',
      '10.0.0.0/32',
      '2001:db8::/128',
      '::ffff:10.0.0.0/104'
    ],
    bad: [
      '0.0.0.0/0',
      '10.0.0.0/0',
      '::/0',
      'true',
      '1',
      '*',
      'loopback',
      '10.0.0.0/33',
      '::/129',
      '10.0.0/8',
      '10.0.0.0/',
      '10.0.0.256',
      '10.0.0.1,',
      '10.0.0.0/255.0.0.0',
      '::ffff:0:0/96',
      '::ffff:0.0.0.0/96',
      '::FFFF:10.0.0.1/96',
      '10.0.0.0/8 10.0.0.1'
    ]
  },
  REDIS_SENTINELS: {
    good: ['a:1', 'sentinel-1.example:26379,127.0.0.1:65535', '[::1]:26379'],
    bad: [
      'a',
      'a:',
      ':1',
      'a:0',
      'a:65536',
      'a:x',
      'redis://a:1',
      '::1:26379',
      '[a]:1',
      '[1:2]:3',
      'a b:1',
      'a:1,,b:2'
    ],
    besides: { ...SECRETS, REDIS_SENTINEL_NAME: 'grants' }
  },
  REDIS_SENTINEL_NAME: {
    good: ['mymaster', 'a.b-c_1', 'x'.repeat(128)],
    bad: ['a b', 'a/b', 'ü', 'x'.repeat(129)],
    besides: { ...SECRETS, REDIS_SENTINELS: 'a:1' }
  },
  REDIS_CLUSTER: {
    good: ['a:1', 'redis-1.example:7000,127.0.0.1:7001', '[2001:db8::1]:7000'],
    bad: ['a', 'a:0', 'a:65536', 'rediss://a:1', '2001:db8::1:7000', '[x]:1'],
    besides: SECRETS
  },
  REDIS_USERNAME: { good: ['grantd', 'a user'], bad: [], besides: CLUSTER },
  REDIS_PASSWORD: { good: ['x', 'p,w :/@'], bad: [], besides: CLUSTER },
  REDIS_SENTINEL_USERNAME: { good: ['x'], bad: [], besides: SENTINELS },
  REDIS_SENTINEL_PASSWORD: { good: ['x'], bad: [], besides: SENTINELS },
  REDIS_TLS: { good: ['on', 'off'], bad: ['ON', 'true', '1', 'rediss'], besides: CLUSTER },
  REDIS_CA_FILE: { good: [fileOf(t, CERTIFICATE)], bad: [], besides: { ...CLUSTER, REDIS_TLS: 'on' } },
  EDGE_HEADERS: { good: ['cloudflare'], bad: ['Cloudflare', 'fastly', 'true'], besides: { TRUST_PROXY: '10.0.0.1' } },
  TRUST_PROXY_HEADER: {
    good: ['x-forwarded-for', 'forwarded'],
    bad: ['X-Forwarded-For', 'x-real-ip', 'both', 'x-forwarded-for,forwarded'],
    besides: { TRUST_PROXY: '10.0.0.1' }
  },
  AUDIT_LOG: { good: ['stdout', 'off'], bad: ['STDOUT', 'on', 'stderr'] },
  DOCS: { good: ['on', 'off'], bad: ['ON', 'true', '1'] },
  DEMO_SIGN_IN: { good: ['on', 'off'], bad: ['ON', 'true', 'yes'] },
  LOG_LEVEL: { good: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], bad: ['INFO', 'verbose', '30'] },
  LIMITS: { good: ['on', 'off'], bad: ['ON', 'true', '0', 'no'] },
  // test/core/clients/clients.test.ts checks the content of this file.
  OAUTH_CLIENTS_FILE: { good: [fileOf(t, { clients: [] }), fileOf(t, { clients: [{ client_id: 'acme' }] })], bad: [] },
  // Tests below check the faults of these files.
  RULES_FILE: { good: [fileOf(t, []), fileOf(t, [{ when: {}, then: 'refuse' }])], bad: [] },
  PROVIDERS_FILE: { good: [fileOf(t, { providers: [ACME] }), fileOf(t, { providers: [ACME, HUB] })], bad: [] },
  // A test below checks the faults of this file.
  WEBHOOKS_FILE: { good: [fileOf(t, [WEBHOOK]), fileOf(t, [{ ...WEBHOOK, id: undefined }])], bad: [] },
  ADMINS: {
    good: [
      ...['user:ann', 'user:a:b', 'user:ann@acme.example', 'identity:acme:1:2', 'identity:hub-2:x', 'group:acme:/ops'],
      ...['group:acme:cn=ops%2Cdc=acme', 'user:100%25', 'user:ann, group:acme:Ops and others']
    ],
    bad: [
      ...['ann', 'ann@acme.example', 'user:', 'user', 'acme:x', 'identity:acme', 'identity:acme:', 'identity:Acme:x'],
      ...['group::x', 'groups:acme:x', 'USER:ann', 'user:ann,', 'user:100%', 'user:%2', 'user:%zz', '*', 'on'],
      ...['identity:%61cme:x', 'user:a\nb', `user:${'x'.repeat(2_100)}`]
    ],
    besides: { PROVIDERS_FILE: fileOf(t, { providers: [ACME, { ...HUB, id: 'hub-2', sign_in: true }] }) }
  },
  SERVICE_NAME: {
    good: ['grantd', 'Büro & Söhne', '😀', 'x'.repeat(64)],
    bad: ['x'.repeat(65), 'a\nb', 'a\u0000b', 'a\u202eb', 'a\u2028b', 'a\u200bb']
  },
  BRAND_COLOR: {
    good: ['#0b57c4', '#0B57C4', '#00f', '#000000'],
    bad: ['0b57c4', '#0b57c', '#0b57c4ff', '#0b57g4', 'blue', 'rgb(0 0 255)']
  },
  // test/routes/pages/brand.test.ts checks the content of this file.
  BRAND_LOGO_FILE: { good: [fileOf(t, LOGO)], bad: [] },
  ENVIRONMENT_ID: {
    good: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
    bad: [
      'FFFFFFFF-ffff-ffff-ffff-ffffffffffff',
      'ffffffff-ffff-ffff-ffff-fffffffffff',
      'ffffffff-ffff-ffff-ffff-fffffffffffff',
      '{ffffffff-ffff-ffff-ffff-ffffffffffff}',
      'gggggggg-ffff-ffff-ffff-ffffffffffff',
      'production'
    ]
  },
  TOKENS_BASE_DOMAIN: {
    good: ['tokens.example.com', 'a.bc', '0-0.x1.example', `${'x'.repeat(63)}.example`],
    bad: [
      ...['localhost', 'Tokens.example.com', 'example.com.', '.example.com', 'a..example', '-a.example', 'a-.example'],
      ...[
        'example.com:443',
        'https://example.com',
        '*.example.com',
        'a_b.example',
        'example.c0m',
        '192.0.2.1',
        'a b.example'
      ],
      ...[`${'x'.repeat(64)}.example`, `${'x.'.repeat(100)}example`]
    ]
  },
  PROVIDER_SIGNING_ALG: { good: ['RS256', 'ES256', 'EdDSA'], bad: ['HS256', 'none', 'rs256', 'PS256'] },
  DNS_RESOLVER: {
    good: ['192.0.2.53', '127.0.0.1:5353', '2001:db8::53', '[::1]:53', '[2001:db8::53]:5353'],
    bad: [
      ...[
        'localhost',
        'dns.example',
        'localhost:53',
        'https://192.0.2.53',
        '192.0.2.53:',
        '192.0.2.53:x',
        ':53',
        '[::1]'
      ],
      ...['192.0.2.53,192.0.2.54', '192.0.2', '192.0.2.256', 'dead', ':::', '192.0.2.53:65536', '192.0.2.53:0']
    ]
  },
  // A test below checks the faults of this file.
  FOREIGN_ISSUER_CA_FILE: {
    good: [fileOf(t, CERTIFICATE), fileOf(t, `# two\n${CERTIFICATE}\n${CERTIFICATE}`)],
    bad: []
  },
  FOREIGN_ISSUERS_ON_LOOPBACK: { good: ['on', 'off'], bad: ['ON', 'true', '1', 'yes'] },
  TOKEN_STATUS_LIST: { good: ['on', 'off'], bad: ['ON', 'true', '1', 'yes'] },
  CLIENT_ID_METADATA: {
    good: ['on', 'off', 'mcp.example.com', 'mcp.example.com,a.example:8443', 'a.example, localhost:1'],
    bad: [
      'ON',
      'true',
      '1',
      'yes',
      'on,a.example',
      'https://a.example',
      'A.example',
      '*.example.com',
      'a.example/x',
      'a.example,'
    ]
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    good: ['http://localhost:4318', 'https://traces.example/base/'],
    bad: ['localhost:4318', 'grpc://localhost:4317', 'http://a b', 'https://traces.example?key=x']
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    good: ['http://localhost:4318/v1/traces'],
    bad: ['localhost:4318', 'unix:/run/traces']
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: { good: ['http/protobuf', 'http/json', 'grpc'], bad: ['http', 'HTTP/JSON', 'json'] },
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: { good: ['http/protobuf', 'http/json', 'grpc'], bad: ['http', 'json'] },
  OTEL_TRACES_EXPORTER: { good: ['otlp', 'console', 'none'], bad: ['zipkin', 'jaeger', 'otlp,console', 'on'] },
  OTEL_TRACES_SAMPLER: {
    good: ['always_on', 'always_off', 'traceidratio', 'parentbased_always_on', 'parentbased_traceidratio'],
    bad: ['on', 'jaeger_remote', '0.1', 'PARENTBASED_ALWAYS_ON']
  },
  OTEL_TRACES_SAMPLER_ARG: {
    good: ['0', '1', '0.01', '.5', '1.0', '0.000001'],
    bad: ['1.01', '2', '-1', '1%', 'x', '1e-3', '0,1', '.']
  },
  OTEL_SDK_DISABLED: { good: ['true', 'false'], bad: ['yes', '1', 'TRUE', 'on'] },
  DASHBOARD_JWT_ISSUER: { good: ['x', 'https://a.example'], bad: [] },
  DASHBOARD_JWT_AUDIENCE: { good: ['x'], bad: [] }
}

t.test('texts, choices and lists', async (t) => {
  const others = Object.keys(EnvironmentSchema.properties).filter(
    (name) => !numbers.some(([number]) => number === name)
  )
  t.same(Object.keys(texts).sort(), others.sort(), 'all of them are looked at')
  for (const [name, { good, bad, besides = {} }] of Object.entries(texts)) {
    t.test(`${name} is what it should be`, async (t) => {
      for (const value of good) t.same(faultsOf({ ...besides, [name]: value }), [], `good: ${titleOf(value)}`)
      for (const value of bad) {
        const faults = faultsOf({ ...besides, [name]: value })
        t.equal(faults.length, 1, `bad: ${titleOf(value)}`)
        t.match(faults[0], new RegExp(`^${name}: expected [a-zA-Z]`))
      }
    })
  }

  t.test('neither TRUST_PROXY nor TRUSTED_CALLERS holds everybody, however it is spelled', async (t) => {
    for (const range of ['0:0:0:0:0:ffff::/96', '0::ffff:0:0/96', '0:0:0:0:0:FFFF:0:0/96', '0000::ffff:0:0/96']) {
      for (const name of ['TRUST_PROXY', 'TRUSTED_CALLERS']) {
        t.same(namesOf({ [name]: range }), [name], `${range} is all of IPv4`)
      }
    }
  })
})

t.test('whom ADMINS names can prove who they are', async (t) => {
  const providers = [ACME, HUB, { ...HUB, id: 'plain', sign_in: true }]
  const PROVIDERS_FILE = fileOf(t, { providers })
  const alone = 'ADMINS: needs PROVIDERS_FILE, whose providers prove who somebody is'
  t.same(faultsOf({ ADMINS: 'user:ann' }), [alone], 'and not where anybody may type a name')
  t.same(faultsOf({ ...REDIS, ADMINS: 'user:ann' }), [alone], 'nor where nobody signs in')
  t.same(faultsOf({ PROVIDERS_FILE, ADMINS: 'user:ann,identity:nowhere:x,group:hub:x,group:plain:x,user:%ff' }), [
    'ADMINS: entry 2: no provider nowhere of PROVIDERS_FILE signs anybody in',
    'ADMINS: entry 3: no provider hub of PROVIDERS_FILE signs anybody in',
    'ADMINS: entry 4: the provider plain has no ID token, in which groups would be',
    'ADMINS: entry 5: its percent-encoding is not UTF-8'
  ])
  const broken = fileOf(t, { providers: [{ ...ACME, issuer: 'x' }] })
  t.same(
    namesOf({ PROVIDERS_FILE: broken, ADMINS: 'identity:acme:x' }),
    ['PROVIDERS_FILE'],
    'what is not known is not said'
  )
  const { admins } = loadConfig({
    PROVIDERS_FILE,
    ADMINS: 'user:identity:acme:x,identity:acme:group:acme:x,user:%2C%25'
  })
  t.same(admins, ['user:identity:acme:x', 'identity:acme:group:acme:x', 'user:,%'])
})

t.test('all faults are told at once', async (t) => {
  const wrong = {
    PORT: 'x',
    PUBLIC_URL: 'x',
    GRANT_TTL_SECONDS: '5',
    SIGNING_ALG: 'none',
    GRANTD_SECRET: 'short',
    LIMITS: 'maybe',
    TRUST_PROXY: 'all'
  }
  t.same(namesOf(wrong).sort(), Object.keys(wrong).sort())
  t.throws(() => loadConfig(wrong), {
    name: 'ConfigError',
    message: /PORT: expected a whole number from 0 to 65535\n {2}PUBLIC_URL: /
  })
  t.same(
    namesOf({
      PUBLIC_URL: 'http://a.example',
      VERIFICATION_URI: 'http://a.example/device',
      TRUST_PROXY: '0.0.0.0/0',
      REDIS_URL: 'redis://localhost'
    }),
    ['PUBLIC_URL', 'VERIFICATION_URI', 'TRUST_PROXY', 'GRANTD_SECRET', 'DASHBOARD_JWT_SECRET'],
    'also those that concern more than one'
  )
  t.same(
    namesOf({ PORT: 'x', REDIS_URL: 'redis://localhost', GRANTD_SECRET: 'short', EDGE_HEADERS: 'cloudflare' }),
    ['PORT', 'GRANTD_SECRET', 'EDGE_HEADERS', 'DASHBOARD_JWT_SECRET'],
    'of both kinds together, each variable once'
  )
})

t.test('an empty variable counts as absent', async (t) => {
  const empty = Object.fromEntries(Object.keys(EnvironmentSchema.properties).map((name) => [name, '']))
  const { secrets: _, dashboard: __, ...fromEmpty } = loadConfig(empty)
  const { secrets: ___, dashboard: ____, ...fromNothing } = loadConfig({})
  t.same(fromEmpty, fromNothing)
  t.same(namesOf({ ...REDIS, GRANTD_SECRET: '  ' }), ['GRANTD_SECRET'])
})

t.test('variables that need or exclude each other', async (t) => {
  t.test('with REDIS_URL the secrets are mandatory', async (t) => {
    const { REDIS_URL } = REDIS
    t.same(namesOf(REDIS), [])
    t.same(namesOf({ REDIS_URL }), ['GRANTD_SECRET', 'DASHBOARD_JWT_SECRET'])
    t.same(faultsOf({ REDIS_URL, DASHBOARD_JWT_SECRET: DASHBOARD }), ['GRANTD_SECRET: mandatory with REDIS_URL'])
    t.match(faultsOf({ REDIS_URL, GRANTD_SECRET: SECRET }), [/^DASHBOARD_JWT_SECRET: mandatory with REDIS_URL/])
    const jwks = { DASHBOARD_JWKS_URL: 'https://a.example/jwks', ...DASHBOARD_EXPECTS }
    t.same(namesOf({ REDIS_URL, GRANTD_SECRET: SECRET, ...jwks }), [])
    t.same(loadConfig(REDIS).madeUpSecrets, [])
    t.same(loadConfig(REDIS).redis?.prefix, 'grantd:')
  })

  t.test('sessions are verified by secrets, by keys, by both, or there are none', async (t) => {
    const jwks = { DASHBOARD_JWKS_URL: 'https://a.example/jwks', ...DASHBOARD_EXPECTS }
    t.same(loadConfig(jwks).madeUpSecrets, ['GRANTD_SECRET'])
    t.same(loadConfig(jwks).dashboard.secrets, [])
    const both = loadConfig({ ...jwks, DASHBOARD_JWT_SECRET: DASHBOARD }).dashboard
    t.match(both, { secrets: [DASHBOARD], jwksUrl: jwks.DASHBOARD_JWKS_URL })
    const PROVIDERS_FILE = fileOf(t, { providers: [ACME] })
    for (const more of [{ PROVIDERS_FILE }, { PROVIDERS_FILE, REDIS_URL: REDIS.REDIS_URL }]) {
      const { dashboard, madeUpSecrets } = loadConfig({ GRANTD_SECRET: SECRET, ...more })
      t.same([dashboard.secrets, dashboard.jwksUrl, madeUpSecrets], [[], undefined, []], 'people sign in at providers')
    }
  })

  t.test('keys of a dashboard verify what it signs for this service alone', async (t) => {
    const DASHBOARD_JWKS_URL = 'https://a.example/jwks'
    const { DASHBOARD_JWT_ISSUER, DASHBOARD_JWT_AUDIENCE } = DASHBOARD_EXPECTS
    const why = 'mandatory with DASHBOARD_JWKS_URL, whose keys may sign JWTs for other services as well'
    const [noIssuer, noAudience] = [`DASHBOARD_JWT_ISSUER: ${why}`, `DASHBOARD_JWT_AUDIENCE: ${why}`]
    t.same(faultsOf({ DASHBOARD_JWKS_URL }), [noIssuer, noAudience])
    t.same(faultsOf({ DASHBOARD_JWKS_URL, DASHBOARD_JWT_ISSUER: '', DASHBOARD_JWT_AUDIENCE: ' ' }), [
      noIssuer,
      noAudience
    ])
    t.same(faultsOf({ DASHBOARD_JWKS_URL, DASHBOARD_JWT_ISSUER }), [noAudience])
    t.same(faultsOf({ DASHBOARD_JWKS_URL, DASHBOARD_JWT_AUDIENCE }), [noIssuer])
    t.same(faultsOf({ DASHBOARD_JWKS_URL, ...DASHBOARD_EXPECTS }), [])
    t.same(faultsOf({ DASHBOARD_JWT_SECRET: DASHBOARD }), [], 'a secret that is shared with this service alone')
  })

  t.test('one secret serves one purpose', async (t) => {
    t.same(namesOf({ GRANTD_SECRET: SECRET, DASHBOARD_JWT_SECRET: SECRET }), ['DASHBOARD_JWT_SECRET'])
    const DASHBOARD_JWT_SECRET = `${DASHBOARD},${SECRET}`
    t.same(namesOf({ GRANTD_SECRET: SECRET, DASHBOARD_JWT_SECRET }), ['DASHBOARD_JWT_SECRET'], 'of a list as well')
    t.same(namesOf({ GRANTD_SECRET: `${DASHBOARD},${SECRET}`, DASHBOARD_JWT_SECRET: SECRET }), ['DASHBOARD_JWT_SECRET'])
  })

  t.test('the path of PUBLIC_URL is one that everything can be served under', async (t) => {
    for (const path of ['', '/', '/a', '/a/', '/a-b_c.d~e/F9', '/a/b/c']) {
      t.same(faultsOf({ PUBLIC_URL: `https://a.example${path}` }), [], path)
    }
    for (const path of ['/a:b', '/a*', '/(a)', '/a%20b', '/ü', '/a//b', '/a,b', '/{a}', '/a@b']) {
      t.match(faultsOf({ PUBLIC_URL: `https://a.example${path}` }), [/^PUBLIC_URL: its path may hold letters/], path)
    }
  })

  t.test('an edge is believed only from where it is', async (t) => {
    t.match(faultsOf({ EDGE_HEADERS: 'cloudflare' }), [/^EDGE_HEADERS: needs TRUST_PROXY/])
    t.same(faultsOf({ EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '10.0.0.1' }), [])
    t.match(faultsOf({ TRUST_PROXY_HEADER: 'forwarded' }), [/^TRUST_PROXY_HEADER: needs TRUST_PROXY/])
  })
})

t.test('where traces go', async (t) => {
  const tracingOf = (variables: Record<string, string>) => loadConfig(variables).tracing
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://a.example/base//' }
  const whole = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://b.example/take' }
  const protobuf = { exporter: 'otlp', protocol: 'http/protobuf' }

  t.test('a variable that says where turns them on, and so does one that says by what', async (t) => {
    t.strictSame(tracingOf(endpoint), { ...protobuf, url: 'https://a.example/base/v1/traces' })
    t.strictSame(tracingOf({ ...endpoint, ...whole }), { ...protobuf, url: 'https://b.example/take' })
    t.strictSame(tracingOf({ OTEL_TRACES_EXPORTER: 'otlp' }), { ...protobuf, url: undefined })
    t.match(tracingOf({ OTEL_TRACES_EXPORTER: 'console' }), { exporter: 'console' })
  })

  t.test('nothing else does, and two turn them off', async (t) => {
    for (const off of [
      { OTEL_SERVICE_NAME: 'grants', OTEL_TRACES_SAMPLER: 'always_on', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      { ...endpoint, OTEL_SDK_DISABLED: 'true' },
      { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }
    ]) {
      t.equal(tracingOf(off), undefined, Object.keys(off).join(' '))
    }
  })

  t.test('they are written as one of two protocols', async (t) => {
    t.match(tracingOf({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }), { protocol: 'http/json' })
    const both = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' }
    t.match(tracingOf({ ...endpoint, ...both }), { protocol: 'http/json' })
    for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']) {
      t.match(faultsOf({ ...endpoint, [name]: 'grpc' }), [new RegExp(`^${name}: traces are sent by http`)])
      t.same(faultsOf({ ...endpoint, [name]: 'grpc', OTEL_TRACES_EXPORTER: 'console' }), [], 'the log has none')
    }
  })
})

t.test('the clients of OAUTH_CLIENTS_FILE', async (t) => {
  const acme = { client_id: 'acme', access_token_ttl_seconds: 600, authorization_ttl_seconds: 86_400 }

  t.test('come after the built-in ones, with lives of their own', async (t) => {
    const file = fileOf(t, { clients: [acme] })
    const { clients } = loadConfig({ OAUTH_CLIENTS_FILE: file, CLIENT_TOKEN_TTL_SECONDS: '60' })
    t.same(clients.slice(0, 5), builtInClients(60))
    t.match(clients[5], { id: 'acme', accessTokenTtlSeconds: 600, authorizationTtlSeconds: 86_400 })
    t.equal(clients.length, 6)
  })

  t.test('are told all their faults, beside those of the environment', async (t) => {
    const OAUTH_CLIENTS_FILE = fileOf(t, { clients: [acme, acme, { client_id: 'cli' }] })
    t.same(faultsOf({ OAUTH_CLIENTS_FILE, PORT: 'x', REDIS_URL: REDIS.REDIS_URL, DASHBOARD_JWT_SECRET: DASHBOARD }), [
      'PORT: expected a whole number from 0 to 65535',
      'GRANTD_SECRET: mandatory with REDIS_URL',
      'OAUTH_CLIENTS_FILE: clients[1].client_id: is there twice',
      'OAUTH_CLIENTS_FILE: clients[2].client_id: is the name of a built-in client, say "built_in": true to change that one'
    ])
    t.same(faultsOf({ OAUTH_CLIENTS_FILE: fileOf(t, 'x').replace('.json', '') }), [
      'OAUTH_CLIENTS_FILE: cannot be read: ENOENT'
    ])
    t.same(faultsOf({ OAUTH_CLIENTS_FILE: fileOf(t, '{clients') }), ['OAUTH_CLIENTS_FILE: is not JSON'])
  })

  t.test('an empty variable is no file', async (t) => {
    t.same(loadConfig({ OAUTH_CLIENTS_FILE: ' ' }).clients, builtInClients(2_592_000))
  })
})

t.test('the providers of PROVIDERS_FILE', async (t) => {
  const acme = { id: 'acme', name: 'Acme', client_id: 'grantd', issuer: 'https://acme.example' }
  const hub = {
    ...{ id: 'hub', name: 'The Hub', client_id: 'grantd', authorization_endpoint: 'https://hub.example/authorize' },
    ...{ token_endpoint: 'https://hub.example/token', userinfo_endpoint: 'https://hub.example/user' }
  }
  /** Returns the faults of a file with these entries, without its name. */
  const fileFaults = (providers: unknown) =>
    faultsOf({ PROVIDERS_FILE: fileOf(t, { providers }) }).map((line) => line.replace('PROVIDERS_FILE: ', ''))

  t.test('need little, and get what is usual', async (t) => {
    const { upstreams, demoSignIn } = loadConfig({ PROVIDERS_FILE: fileOf(t, { providers: [acme, hub] }) })
    t.strictSame(upstreams, [
      {
        ...{ id: 'acme', name: 'Acme', clientId: 'grantd', clientSecret: undefined, authMethod: 'client_secret_basic' },
        ...{ scope: 'openid profile email', authorizationParameters: {}, signsIn: true, subjectIsUserId: false },
        alwaysReauthenticates: false,
        reauthenticationParameters: { prompt: 'login', max_age: '0' },
        endpoints: { issuer: 'https://acme.example' }
      },
      {
        ...{ id: 'hub', name: 'The Hub', clientId: 'grantd', clientSecret: undefined },
        ...{
          authMethod: 'client_secret_basic',
          scope: '',
          authorizationParameters: {},
          reauthenticationParameters: {}
        },
        ...{ signsIn: true, subjectIsUserId: false, alwaysReauthenticates: false },
        endpoints: {
          ...{ authorization: 'https://hub.example/authorize', token: 'https://hub.example/token' },
          ...{ userinfo: 'https://hub.example/user', revocation: undefined },
          ...{ subjectMember: 'id', usernameMember: 'login', nameMember: 'name' }
        }
      }
    ])
    t.equal(demoSignIn, false, 'who has providers needs no demo')
  })

  t.test('a name can be typed to sign in only where nothing is real and nobody else can come', async (t) => {
    const PROVIDERS_FILE = fileOf(t, { providers: [acme] })
    const signsIn = (variables: Record<string, string>) => loadConfig(variables).demoSignIn
    for (const HOST of ['127.0.0.1', '::1', 'localhost']) t.equal(signsIn({ HOST }), true, HOST)
    for (const HOST of ['0.0.0.0', '::', '192.0.2.1', 'localhost.example']) t.equal(signsIn({ HOST }), false, HOST)
    t.equal(signsIn({ PUBLIC_URL: 'https://grants.example' }), false)
    t.equal(signsIn({ PUBLIC_URL: 'https://localhost/base' }), true)
    t.equal(signsIn(REDIS), false)
    const withoutDashboard = { ...REDIS, DASHBOARD_JWT_SECRET: '' }
    const DEMO_SIGN_IN = 'on'
    t.equal(signsIn({ ...withoutDashboard, DEMO_SIGN_IN, HOST: '0.0.0.0' }), true, 'over Redis where that is said')
    t.equal(signsIn({ ...REDIS, DEMO_SIGN_IN, PROVIDERS_FILE }), false, 'who has providers needs no demo')
    t.equal(signsIn({ ...REDIS, DEMO_SIGN_IN, PUBLIC_URL: 'https://grants.example' }), false, 'nowhere else')
    const elsewhere = { ...withoutDashboard, DEMO_SIGN_IN, PUBLIC_URL: 'https://grants.example' }
    t.match(faultsOf(elsewhere), [/^DASHBOARD_JWT_SECRET: mandatory/], 'and then a key is needed as ever')
    t.equal(signsIn({ PROVIDERS_FILE }), false)
  })

  t.test('are told all their faults, beside those of the environment', async (t) => {
    const PROVIDERS_FILE = fileOf(t, { providers: [acme, acme] })
    const OAUTH_CLIENTS_FILE = fileOf(t, { clients: [{ client_id: 'cli' }] })
    t.same(faultsOf({ PROVIDERS_FILE, OAUTH_CLIENTS_FILE, PORT: 'x' }), [
      'PORT: expected a whole number from 0 to 65535',
      'OAUTH_CLIENTS_FILE: clients[0].client_id: is the name of a built-in client, say "built_in": true to change that one',
      'PROVIDERS_FILE: providers[1].id: is there twice'
    ])
    t.same(faultsOf({ PROVIDERS_FILE: PROVIDERS_FILE.replace('.json', '') }), [
      'PROVIDERS_FILE: cannot be read: ENOENT'
    ])
    t.same(faultsOf({ PROVIDERS_FILE: fileOf(t, '{providers') }), ['PROVIDERS_FILE: is not JSON'])
    const many = Array.from({ length: 50 }, () => ({ ...acme, scope: 'email' }))
    t.equal(fileFaults(many).length, 50, 'but no more than anybody reads')
  })

  t.test('a file of another shape says what shape it should have', async (t) => {
    for (const content of ['[]', 'null', '5', '"text"']) {
      t.same(faultsOf({ PROVIDERS_FILE: fileOf(t, content) }), [
        'PROVIDERS_FILE: the file: expected an object with one member, providers'
      ])
    }
    t.same(faultsOf({ PROVIDERS_FILE: fileOf(t, '{}') }), ['PROVIDERS_FILE: providers: is missing'])
    t.same(faultsOf({ PROVIDERS_FILE: fileOf(t, '{"providers":[],"provider":1}') }).length, 2)
    for (const providers of [[], {}, 'acme', Array.from({ length: 51 }, (_, i) => ({ ...acme, id: `p${i}` }))]) {
      t.same(fileFaults(providers), ['providers: expected a list of 1 to 50 providers'])
    }
    t.same(fileFaults([null, acme, 'acme']), ['providers[0]: expected an object', 'providers[2]: expected an object'])
    t.same(fileFaults([{}]), [
      'providers[0].id: is missing',
      'providers[0].name: is missing',
      'providers[0].client_id: is missing'
    ])
    t.same(fileFaults([{ ...acme, secret: 'hunter2' }]), ['providers[0].secret: is not known'])
  })

  const MEMBERS: Record<string, { good: unknown[]; bad: unknown[]; of?: object; expects: RegExp }> = {
    id: {
      good: ['a', '0', 'acme-2', 'x'.repeat(32)],
      bad: ['', 'Acme', '-a', 'a_b', 'a/b', '..', 'é', 'x'.repeat(33), 5, null],
      expects: /^1 to 32 lower-case letters/
    },
    name: {
      good: ['Acme', 'Büro & Söhne', '😀', 'x'.repeat(64)],
      bad: ['', ' Acme', 'Acme ', 'a\nb', 'a\u202eb', 'a\u0000b', 'x'.repeat(65), 5],
      expects: /^at most 64 characters, all of them visible/
    },
    client_id: { good: ['x', 'x'.repeat(512)], bad: ['', 'x'.repeat(513), 5], expects: /^a text of at most 512/ },
    client_secret: {
      good: ['x', 'x'.repeat(2048)],
      bad: ['', 'x'.repeat(2049), 5],
      expects: /^a text of at most 2048/
    },
    token_endpoint_auth_method: {
      good: ['client_secret_basic', 'client_secret_post'],
      bad: ['none', 'private_key_jwt', '', 5],
      of: { ...acme, client_secret: 'x' },
      expects: /^one of client_secret_basic, client_secret_post$/
    },
    scope: {
      good: ['openid', 'email openid'],
      bad: ['', 'x'.repeat(1025), ['openid']],
      expects: /^a text of at most 1024/
    },
    authorization_parameters: {
      good: [{}, { access_type: 'offline', 'a.b_1': 'x' }],
      bad: [[], 'x', null],
      expects: /^an object of texts$/
    },
    reauthentication_parameters: { good: [{ prompt: 'login' }], bad: [['prompt']], expects: /^an object of texts$/ },
    always_reauthenticates: { good: [true, false], bad: ['yes', 1, null], expects: /^true or false$/ },
    sign_in: { good: [true], bad: ['yes', 1, null], expects: /^true or false$/ },
    pkce: {
      good: [true, false],
      bad: ['no', 0],
      of: { ...acme, client_secret: 'x' },
      expects: /^true or false$/
    },
    access_token_ttl_seconds: {
      good: [60, 7_200, 31_536_000],
      bad: [59, 31_536_001, 90.5, '3600', null],
      expects: /^a whole number of seconds from 60 to 31536000$/
    },
    subject_is_user_id: { good: [true, false], bad: ['no', 0], expects: /^true or false$/ },
    groups_claim: {
      good: ['groups', 'https://acme.example/roles', 'x'.repeat(255)],
      bad: ['', 'a b', 'ü', 'x'.repeat(256), ['groups'], null],
      expects: /^the name of a claim/
    },
    issuer: {
      good: ['https://acme.example', 'https://acme.example:8443/base/', 'http://localhost:8080', 'http://127.0.0.1:1'],
      bad: [
        '',
        'acme.example',
        'http://acme.example',
        'https://u:p@acme.example',
        'https://acme.example#x',
        'ftp://a',
        5
      ],
      expects: /^an https URL \(http only for localhost\)$/
    },
    userinfo_endpoint: {
      good: ['https://hub.example/user?all=1', 'http://[::1]:80/user'],
      bad: ['http://hub.example/user', '/user', 'https://hub example'],
      of: hub,
      expects: /^an https URL/
    },
    revocation_endpoint: {
      good: ['https://hub.example/r'],
      bad: ['http://hub.example/r'],
      of: hub,
      expects: /^an https/
    },
    subject_member: {
      good: ['sub', 'node_id'],
      bad: ['', 'a.b', 'x'.repeat(65), 5],
      of: hub,
      expects: /^the name of a/
    }
  }

  for (const [name, { good, bad, of = acme, expects }] of Object.entries(MEMBERS)) {
    t.test(`${name} is what it should be`, async (t) => {
      for (const value of good) t.same(fileFaults([{ ...of, [name]: value }]), [], `good: ${titleOf(value)}`)
      for (const value of bad) {
        const [fault = '', ...others] = fileFaults([{ ...of, [name]: value }])
        t.same(others, [], `bad: ${titleOf(value)}`)
        t.ok(fault.startsWith(`providers[0].${name}: expected `), fault)
        t.match(fault.replace(/^.*: expected /, ''), expects)
      }
    })
  }

  t.test('members that need or exclude each other', async (t) => {
    const { token_endpoint: _, ...halfHub } = hub
    t.same(fileFaults([halfHub]), ['providers[0].token_endpoint: is missing, or else issuer'])
    t.equal(fileFaults([{ id: 'a', name: 'A', client_id: 'x' }]).length, 3, 'all three endpoints are missed')
    t.same(fileFaults([{ ...hub, issuer: 'https://hub.example', username_member: 'nick' }]), [
      'providers[0].authorization_endpoint: not together with issuer, whose discovery tells it',
      'providers[0].token_endpoint: not together with issuer, whose discovery tells it',
      'providers[0].userinfo_endpoint: not together with issuer, whose discovery tells it',
      'providers[0].username_member: not together with issuer, whose discovery tells it'
    ])
    t.same(fileFaults([{ ...hub, groups_claim: 'groups' }]), [
      'providers[0].groups_claim: needs issuer, groups are read from its ID token'
    ])
    t.same(fileFaults([{ ...acme, scope: 'email openidx' }]), [
      'providers[0].scope: needs openid, the provider is an issuer'
    ])
    t.same(fileFaults([{ ...acme, token_endpoint_auth_method: 'client_secret_post' }]), [
      'providers[0].client_secret: is missing, token_endpoint_auth_method needs it'
    ])
    t.same(fileFaults([{ ...acme, pkce: false }]), [
      'providers[0].pkce: cannot be false without client_secret, codes could be redeemed by anybody'
    ])
    const own = { ...acme, subject_is_user_id: true }
    t.match(fileFaults([own, { ...own, id: 'b' }]), [
      /^providers\[1\]\.subject_is_user_id: can be true of one provider/
    ])
    t.same(fileFaults([hub, { ...own, sign_in: false }]), ['providers[1].subject_is_user_id: needs sign_in'])
    const [one, two] = [acme, hub].map((provider) => ({ ...provider, sign_in: false }))
    t.same(fileFaults([one, two]), ['providers[0].sign_in: one of the providers must sign users in'])
    t.same(fileFaults([one, hub]), [])
  })
})

t.test('the rules of RULES_FILE', async (t) => {
  const EDGE = { EDGE_HEADERS: 'cloudflare', TRUST_PROXY: '10.0.0.1' }
  const told = (rules: unknown, more: Record<string, string> = EDGE) =>
    faultsOf({ ...more, RULES_FILE: fileOf(t, rules) })
  const rule = (when: object, more: object = { then: 'refuse' }) => [{ when, ...more }]

  t.test('one or a list of what a condition may be', async (t) => {
    const OAUTH_CLIENTS_FILE = fileOf(t, { clients: [{ client_id: 'acme' }] })
    const good = [
      [],
      rule({}),
      rule({ client_id: 'acme' }),
      rule({ client_id: ['cli', 'acme', 'https://app.example/client.json'] }),
      rule({ client_type: 'mcp', flow: ['device', 'code'] }),
      rule({ country_not: ['NO'] }, { then: 'warn', say: 'Ikke her, 但仍然.' }),
      [...rule({}, { then: 'refuse', name: 'a' }), ...rule({}, { then: 'refuse', name: 'b', say: 'x'.repeat(300) })]
    ]
    for (const rules of good) t.same(told(rules, { ...EDGE, OAUTH_CLIENTS_FILE }), [], titleOf(rules))
    t.same(
      loadConfig({ RULES_FILE: fileOf(t, rule({ client_type: 'mcp' })) }).rules[0]?.when,
      { clientTypes: ['mcp'] },
      'and what is not there is no condition'
    )
  })

  t.test('what is wrong is told with its place', async (t) => {
    const rows: [rules: unknown, places: string[]][] = [
      [{}, ['the file']],
      [rule({ country: ['NO'] }), ['[0].when.country']],
      [rule({}, { then: 'refuse', because: 'x' }), ['[0].because']],
      [[{ then: 'refuse' }], ['[0].when']],
      [[{ when: {} }], ['[0].then']],
      [rule({}, { then: 'deny' }), ['[0].then']],
      [rule({ flow: 'browser' }), ['[0].when.flow']],
      [rule({ flow: [] }), ['[0].when.flow']],
      [rule({ client_type: ['cli', 'tv'] }), ['[0].when.client_type']],
      [rule({ client_id: [] }), ['[0].when.client_id']],
      [rule({ country_not: 'NO' }), ['[0].when.country_not']],
      [rule({ country_not: ['no'] }), ['[0].when.country_not[0]']],
      [rule({ country_not: ['NO', 'NO'] }), ['[0].when.country_not']],
      [rule({ country_mismatch: false }), ['[0].when.country_mismatch']],
      [
        rule({ network_mismatch: 'yes', user_agent_missing: 1 }),
        ['[0].when.network_mismatch', '[0].when.user_agent_missing']
      ],
      [rule({}, { then: 'refuse', name: 'a b' }), ['[0].name']],
      [rule({}, { then: 'refuse', say: '' }), ['[0].say']],
      [rule({}, { then: 'refuse', say: 'x'.repeat(301) }), ['[0].say']],
      [rule({}, { then: 'refuse', say: 'two\nlines' }), ['[0].say']],
      [rule({}, { then: 'refuse', say: 'turned \u202e round' }), ['[0].say']],
      [rule({}, { then: 'warn' }), ['[0].say']],
      [rule({ client_id: ['cli', 'nobody'] }), ['[0].when.client_id']],
      [[...rule({}), ...rule({}, { then: 'refuse', name: '1' })], ['[1].name']]
    ]
    for (const [rules, places] of rows) {
      const lines = told(rules)
      t.same(
        lines.map((line) => line.split(': ')[1]),
        places,
        titleOf(rules)
      )
    }
    const without = told([...rule({ country_not: ['NO'] }), ...rule({ country_mismatch: true })], {})
    t.match(without, [
      /^RULES_FILE: \[0\]\.when\.country_not: needs EDGE_HEADERS/,
      /^RULES_FILE: \[1\]\.when\.country_mismatch: needs EDGE_HEADERS/
    ])
  })

  t.test('a fault of the clients is not told of the rules as well', async (t) => {
    const OAUTH_CLIENTS_FILE = fileOf(t, { clients: [{ client_id: 'acme', scope: 5 }] })
    t.match(told(rule({ client_id: 'acme' }), { OAUTH_CLIENTS_FILE }), [/^OAUTH_CLIENTS_FILE: /])
  })
})

t.test('built-in clients that the operator changes', async (t) => {
  const built = (client_id: string, more: object = {}) => ({ client_id, built_in: true, ...more })
  const loadWith = (clients: object[], more: object = {}) =>
    loadConfig({ OAUTH_CLIENTS_FILE: fileOf(t, { clients, ...more }), CLIENT_TOKEN_TTL_SECONDS: '7200' })
  const told = (...clients: object[]) => faultsOf({ OAUTH_CLIENTS_FILE: fileOf(t, { clients }) })
  const [cli, , demo, , other] = builtInClients(7_200)

  t.test('off, without a device grant, with other scopes and lifetimes', async (t) => {
    const grant_types = ['authorization_code']
    const config = loadWith([
      ...[built('mcp', { off: true }), built('cli', { grant_types }), { client_id: 'acme' }],
      built('demo', { scope: 'openid films', optional_scope: 'films', device_scope: 'openid' }),
      built('ide-plugin', { authorization_ttl_seconds: 3_600 }),
      built('other', { off: true })
    ])
    t.same(
      config.clients.map(({ id }) => id),
      ['cli', 'demo', 'ide-plugin', 'acme']
    )
    const [first, second, third] = config.clients
    const noOffline = { scopes: ['openid', 'profile', 'email'] }
    t.same(first, { ...cli, grantTypes: grant_types, ...noOffline }, 'nobody could refresh with offline_access')
    t.same(second, {
      ...demo,
      ...{ scopes: ['openid', 'films'], optionalScopes: ['films'], deviceScopes: ['openid'] }
    })
    t.match(third, { accessTokenTtlSeconds: 3_600, authorizationTtlSeconds: 3_600 })
    t.same(config.clientsByUrlLike, other, 'clients known by a URL have a switch of their own')
    const shorter = loadWith([built('other', { grant_types, access_token_ttl_seconds: 600, scope: 'openid' })])
    t.match(shorter.clients[4], { accessTokenTtlSeconds: 600, authorizationTtlSeconds: 7_200 })
    t.match(shorter.clientsByUrlLike, { accessTokenTtlSeconds: 600, scopes: ['openid'] }, 'what those may do is its')
    t.same(shorter.clientsByUrlLike.grantTypes, other?.grantTypes, 'and how they ask is theirs to say')
    const bounded = loadWith([built('cli', { access_token_ttl_seconds: 86_400 })]).clients[0]
    t.match(bounded, { accessTokenTtlSeconds: 7_200 }, 'no longer than the authorization')
  })

  t.test('are told all their faults', async (t) => {
    const place = (line: string) => line.split(': ')[1]
    const rows: [entry: object, ...places: string[]][] = [
      [built('cli')],
      [built('cli', { off: false })],
      [built('acme'), 'client_id'],
      [built('CLI'), 'client_id'],
      [built('cli', { client_name: 'Acme' }), 'client_name'],
      [built('cli', { client_type: 'mcp' }), 'client_type'],
      [built('cli', { redirect_uris: [] }), 'redirect_uris'],
      [built('cli', { client_secret_digests: ['x'.repeat(43)] }), 'client_secret_digests'],
      [built('cli', { resources: [] }), 'resources'],
      [built('cli', { off: true, scope: 'openid' }), 'scope'],
      [built('cli', { grant_types: [] }), 'grant_types'],
      [built('cli', { grant_types: ['refresh_token'] }), 'grant_types'],
      [built('cli', { grant_types: ['authorization_code'], scope: 'offline_access' }), 'scope'],
      [built('cli', { grant_types: ['authorization_code'], device_scope: 'openid' }), 'device_scope'],
      [built('cli', { device_scope: 'films' }), 'device_scope'],
      [built('cli', { scope: 'films', optional_scope: 'openid' }), 'optional_scope'],
      [built('cli', { access_token_ttl_seconds: 601, authorization_ttl_seconds: 600 }), 'access_token_ttl_seconds'],
      [built('cli', { access_token_ttl_seconds: 59 }), 'access_token_ttl_seconds'],
      [{ client_id: 'cli', built_in: false }, 'built_in'],
      [{ client_id: 'acme', off: true }, 'off']
    ]
    for (const [entry, ...places] of rows) {
      t.same(
        told(entry).map(place),
        places.map((name) => `clients[0].${name}`),
        titleOf(entry)
      )
    }
    t.same(told(built('cli'), { client_id: 'acme' }, built('cli')).map(place), ['clients[2].client_id'])
    const resources = [{ identifier: 'https://one.example', name: 'One', scope: 'films', built_in_clients: true }]
    t.same(loadWith([built('cli', { device_scope: 'films' })], { resources }).clients[0]?.deviceScopes, ['films'])
  })
})

t.test('variables that look like ours and are not read', async (t) => {
  const strays = (...names: string[]) =>
    loadConfig(Object.fromEntries(names.map((name) => [name, 'x']))).strayVariables.map(({ name, meant }) =>
      meant === undefined ? name : `${name} ${meant}`
    )

  t.test('are told, with what may be meant', async (t) => {
    const rows: [name: string, told: string][] = [
      ['GRANTD_SECRETS', 'GRANTD_SECRETS GRANTD_SECRET'],
      ['GRANTD_SECERT', 'GRANTD_SECERT GRANTD_SECRET'],
      ['GRANTD_NOTHING_LIKE_IT', 'GRANTD_NOTHING_LIKE_IT'],
      ['DASHBOARD_JWT_SECRETS', 'DASHBOARD_JWT_SECRETS DASHBOARD_JWT_SECRET'],
      ['DASHBOARD_JWT_MAX_AGE', 'DASHBOARD_JWT_MAX_AGE'],
      ['REDIS_URI', 'REDIS_URI REDIS_URL'],
      ['RULE_FILE', 'RULE_FILE RULES_FILE'],
      ['PROVIDER_FILES', 'PROVIDER_FILES PROVIDERS_FILE'],
      ['RULE_FILES', 'RULE_FILES RULES_FILE'],
      ['RULES_FLIES', 'RULES_FLIES RULES_FILE'],
      ['AUDTI_LGO', 'AUDTI_LGO AUDIT_LOG'],
      ['REIDS_ULR', 'REIDS_ULR REDIS_URL'],
      ['LOGLEVL', 'LOGLEVL LOG_LEVEL'],
      ['ADMIN', 'ADMIN ADMINS'],
      ['ADMINZZ', ''],
      ['LIMIT_PEEKS', 'LIMIT_PEEKS'],
      ['POLL_INTERVAL', '']
    ]
    for (const [name, told] of rows) t.same(strays(name), told === '' ? [] : [told], name)
    t.same(strays('REDIS_URI', 'GRANTD_SECERT', 'REDIS_URI').length, 2, 'each once')
    t.same(loadConfig({ GRANTD_SECERT: ' ' }).strayVariables, [], 'an empty one is absent')
  })

  t.test('what is somebody else’s is left alone', async (t) => {
    const others = [
      ...['PATH', 'HOME', 'HOSTNAME', 'POST', 'PORTS', 'HOSTS', 'LANG', 'TZ', 'TERM', 'PWD', 'SHLVL', '_', 'CI', 'DOC'],
      ...['NODE_ENV', 'NODE_OPTIONS', 'npm_config_cache', 'npm_package_name', 'NPM_TOKEN', 'OTEL_SERVICE_NAME'],
      ...['OTEL_EXPORTER_OTLP_HEADERS', 'http_proxy', 'HTTPS_PROXY', 'NO_PROXY', 'SSL_CERT_FILE', 'LC_ALL', 'TMPDIR'],
      ...['GRANTD_SERVICE_HOST', 'GRANTD_SERVICE_PORT', 'GRANTD_SERVICE_PORT_HTTP', 'GRANTD_PORT', 'REDIS_PORT'],
      ...['GRANTD_PORT_3333_TCP', 'GRANTD_PORT_3333_TCP_ADDR', 'REDIS_PORT_6379_TCP_PROTO', 'KUBERNETES_SERVICE_HOST'],
      ...[
        'REDIS_NAME',
        'REDIS_ENV_REDIS_VERSION',
        'REDIS_SERVICE_HOST',
        'REDIS_DB',
        'REDIS_USER',
        'REDIS_VERSION',
        'LOGNAME'
      ],
      ...[
        'HTTP_PROXY',
        'ALL_PROXY',
        'USER',
        'SHELL',
        'EDITOR',
        'MAIL',
        'LANGUAGE',
        'COLORTERM',
        'FORCE_COLOR',
        'NO_COLOR'
      ],
      ...[
        'LS_COLORS',
        'DISPLAY',
        'OLDPWD',
        'HOSTTYPE',
        'OSTYPE',
        'UID',
        'PPID',
        'INIT_CWD',
        'DEBUG',
        'TEMP',
        'TMP',
        'EMAIL'
      ],
      ...['YARN_VERSION', 'NODE_VERSION', 'PUBLIC_KEY', 'PUBLIC_IP', 'PUBLIC_HOST', 'LOG_FILE', 'LOG_DIR', 'LOG_PATH'],
      ...['LOG_JSON', 'LOG_STYLE', 'GITHUB_SHA', 'GITHUB_TOKEN', 'RUNNER_OS', 'CI_JOB_ID', 'CI_COMMIT_SHA', 'BUILD_ID'],
      ...[
        'POD_NAME',
        'POD_IP',
        'NAMESPACE',
        'HOST_IP',
        'NODE_NAME',
        'AWS_REGION',
        'SENTRY_DSN',
        'DB_HOST',
        'DB_URL',
        'PGHOST'
      ],
      ...[
        'SSL_CERT_DIR',
        'INVOCATION_ID',
        'JOURNAL_STREAM',
        'NOTIFY_SOCKET',
        'LISTEN_FDS',
        'MEMORY_LIMIT',
        'DOMAIN',
        'TIMEOUT'
      ],
      ...[
        'RAILS_ENV',
        'VAULT_ADDR',
        'JAVA_HOME',
        'PYTHONPATH',
        'GOPATH',
        'DOCKER_HOST',
        'APP_NAME',
        'BASE_URL',
        'API_URL'
      ],
      ...['REDIS_HOST', 'REDIS_PASS', 'DATABASE_URL', 'SECRET', 'SESSION_SECRET', 'LOG_FORMAT', 'DOCS_URL'],
      ...['GRANTD_URL', 'GRANTD_API_KEY']
    ]
    t.same(strays(...others), [])
    const own = Object.keys(EnvironmentSchema.properties)
    t.same(
      own.filter((name) => strayVariables({ [name]: 'x' }).length > 0),
      []
    )
    t.ok(own.length > 60)
  })

  t.test('the distance counts what is left out, put in, changed or swapped', async (t) => {
    const rows: [string, string, number][] = [
      ['ab', 'ab', 0],
      ['ab', 'ba', 1],
      ['abc', 'ac', 1],
      ['ac', 'abc', 1],
      ['abc', 'axc', 1],
      ['', 'abc', 3],
      ['kitten', 'sitting', 3],
      ['abcd', 'badc', 2]
    ]
    for (const [a, b, distance] of rows) t.equal(distanceOf(a, b), distance, `${a} ${b}`)
  })

  t.test('and stops counting only at what is too far', async (t) => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })
    fc.assert(
      fc.property(word, word, fc.nat(4), (a, b, most) => {
        const distance = distanceOf(a, b)
        return distance <= most ? distanceOf(a, b, most) === distance : distanceOf(a, b, most) > most
      })
    )
    t.pass()
  })
})

t.test('the endpoints of WEBHOOKS_FILE', async (t) => {
  const faultsIn = (...entries: object[]) => faultsOf({ WEBHOOKS_FILE: fileOf(t, entries) })
  const isNotPublic =
    'expected an https URL of a public host, without user and password; "internal": true allows others'

  t.test('have a name of their own, or one by their URL', async (t) => {
    const another = { ...WEBHOOK, id: undefined, url: 'http://10.0.0.1/hook', secret: [WEBHOOK_SECRET], internal: true }
    const { webhooks } = loadConfig({ WEBHOOKS_FILE: fileOf(t, [WEBHOOK, another]) })
    t.match(webhooks, [
      { id: 'billing', isInternal: false },
      { id: /^[\w-]{12}$/, secrets: [WEBHOOK_SECRET], isInternal: true }
    ])
  })

  t.test('are told all their faults', async (t) => {
    t.same(faultsIn({ ...WEBHOOK, secret: 'x', more: 1, types: [] }, { id: 'B' }), [
      'WEBHOOKS_FILE: [0].more: is not known',
      'WEBHOOKS_FILE: [0].secret: expected "whsec_" and 24 to 64 bytes in base64, or a list of up to 5 of them, each once',
      'WEBHOOKS_FILE: [0].types: expected a list of types of events, each once',
      'WEBHOOKS_FILE: [1].url: is missing',
      'WEBHOOKS_FILE: [1].secret: is missing',
      'WEBHOOKS_FILE: [1].types: is missing',
      'WEBHOOKS_FILE: [1].id: expected 1 to 32 lower-case letters, digits and hyphens'
    ])
    t.same(faultsIn(WEBHOOK, WEBHOOK, { ...WEBHOOK, id: 'c', types: ['grant.eaten', 'token.*', '*'] }), [
      'WEBHOOKS_FILE: [1].id: is there twice, and names what is kept of an endpoint',
      'WEBHOOKS_FILE: [2].types[0]: there are no such events',
      'WEBHOOKS_FILE: [2].types[1]: there are no such events'
    ])
    t.same(faultsIn(), ['WEBHOOKS_FILE: the file: expected a list of 1 to 20 endpoints'])
  })

  t.test('are at public hosts by https, unless they are internal', async (t) => {
    for (const url of ['http://a.example', 'https://10.0.0.1', 'https://127.0.0.1:8443', 'https://u:p@a.example']) {
      t.same(faultsIn({ ...WEBHOOK, url }), [`WEBHOOKS_FILE: [0].url: ${isNotPublic}`], url)
    }
    t.same(faultsIn({ ...WEBHOOK, url: 'https://u:p@a.example', internal: true }), [
      `WEBHOOKS_FILE: [0].url: ${isNotPublic}`
    ])
  })

  t.test('need the events to be kept', async (t) => {
    t.same(faultsOf({ WEBHOOKS_FILE: fileOf(t, [WEBHOOK]), EVENTS_KEPT: '0' }), [
      'WEBHOOKS_FILE: needs EVENTS_KEPT, what is delivered is read from the events that are kept'
    ])
  })
})

t.test('the certificates of FOREIGN_ISSUER_CA_FILE', async (t) => {
  const faults = (content: string) => faultsOf({ FOREIGN_ISSUER_CA_FILE: fileOf(t, content), PORT: 'x' })
  const PORT = 'PORT: expected a whole number from 0 to 65535'
  const broken = CERTIFICATE.replace(/[A-Za-z]{20}/, 'A'.repeat(20))
  t.same(faultsOf({ FOREIGN_ISSUER_CA_FILE: fileOf(t, CERTIFICATE).replace('.json', '') }), [
    'FOREIGN_ISSUER_CA_FILE: cannot be read'
  ])
  for (const content of ['', 'x', CERTIFICATE.replaceAll('CERTIFICATE', 'PUBLIC KEY'), CERTIFICATE.slice(0, -20)]) {
    t.same(faults(content), [PORT, 'FOREIGN_ISSUER_CA_FILE: holds no certificate'], 'beside those of the environment')
  }
  for (const content of [broken, `${CERTIFICATE}\n${broken}`]) {
    t.same(faults(content), [PORT, 'FOREIGN_ISSUER_CA_FILE: holds a certificate that is none'])
  }
  t.equal(loadConfig({ FOREIGN_ISSUER_CA_FILE: ' ' }).tokensApi.foreignIssuers.ca, undefined, 'an empty one is no file')
})

t.test('a configuration cannot be changed', async (t) => {
  let objects = 0
  const isFrozen = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) return true
    objects += 1
    return Object.isFrozen(value) && Object.values(value).every(isFrozen)
  }
  const OAUTH_CLIENTS_FILE = fileOf(t, { clients: [{ client_id: 'acme', scope: 'openid' }] })
  const PROVIDERS_FILE = fileOf(t, { providers: [ACME, HUB] })
  const variables = {
    ...REDIS,
    OAUTH_CLIENTS_FILE,
    PROVIDERS_FILE,
    DNS_RESOLVER: '192.0.2.53',
    TRUST_PROXY: '10.0.0.1',
    CORS_ORIGINS: 'https://a.example'
  }
  t.ok(isFrozen(loadConfig(variables)))
  t.ok(objects >= 40, `looked at ${objects} objects`)
  t.throws(() => Object.assign(loadConfig({}), { port: 1 }), TypeError)
  loadConfig({ CORS_ORIGINS: 'https://a.example' })
  t.same(loadConfig({}).corsOrigins, [], 'and defaults are nobody’s to change')
})

t.test('no error tells a secret', async (t) => {
  const hidden = 'hunter2hunter2'
  const environments: Record<string, string>[] = [
    { GRANTD_SECRET: hidden },
    { GRANTD_SECRET: `${SECRET},${hidden}` },
    { DASHBOARD_JWT_SECRET: hidden },
    { GRANTD_SECRET: `${hidden}${SECRET}`, DASHBOARD_JWT_SECRET: `${hidden}${SECRET}` },
    { REDIS_URL: `http://:${hidden}@redis.example` },
    { REDIS_URL: `redis://:${hidden}@redis.example` },
    { PUBLIC_URL: `https://u:${hidden}@a.example` },
    { DASHBOARD_JWKS_URL: `https://u:${hidden}@a.example`, DASHBOARD_JWT_SECRET: `${hidden}${SECRET}` },
    { PORT: hidden, LOG_LEVEL: hidden, TRUST_PROXY: hidden, SIGNING_ALG: hidden },
    { OAUTH_CLIENTS_FILE: fileOf(t, { clients: [{ client_id: 'acme', client_secret: hidden, scope: ` ${hidden}` }] }) },
    { OAUTH_CLIENTS_FILE: fileOf(t, `{"clients":"${hidden}`) },
    { PROVIDERS_FILE: fileOf(t, { providers: [{ ...ACME, client_secret: ['x', hidden], id: hidden.repeat(9) }] }) },
    { PROVIDERS_FILE: fileOf(t, { providers: [{ ...ACME, issuer: `https://u:${hidden}@a.example` }] }) },
    { PROVIDERS_FILE: fileOf(t, { providers: [{ ...ACME, client_secret: hidden, scope: hidden }] }) },
    { PROVIDERS_FILE: fileOf(t, `{"providers":"${hidden}`) },
    { RULES_FILE: fileOf(t, [{ when: { client_id: hidden, flow: hidden }, then: hidden, say: ` ${hidden}` }]) },
    { RULES_FILE: fileOf(t, [{ when: { client_id: hidden }, then: 'warn' }]) },
    { WEBHOOKS_FILE: fileOf(t, [{ ...WEBHOOK, secret: hidden }]) },
    { WEBHOOKS_FILE: fileOf(t, [{ ...WEBHOOK, url: `https://u:${hidden}@a.example` }]) },
    { WEBHOOKS_FILE: fileOf(t, [{ ...WEBHOOK, url: `http://a.example/${hidden}` }]) }
  ]
  for (const variables of environments) {
    try {
      loadConfig(variables)
      t.fail('it was accepted')
    } catch (error) {
      t.ok(error instanceof ConfigError)
      t.notOk(
        `${error} ${JSON.stringify(error)} ${(error as Error).stack}`.includes(hidden),
        Object.keys(variables).join()
      )
    }
  }
})

t.test('every variable says what is expected of it and what it is for', async (t) => {
  const properties = Object.entries(EnvironmentSchema.properties)
  t.ok(properties.length >= 46)
  for (const [name, schema] of properties) {
    t.match(schema, { expects: /\S/, description: /\S/ }, name)
  }
})
