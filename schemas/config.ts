/**
 * The schema of the environment: the name, type, bounds, default and description of every variable. src/config/load-config.ts
 * reads the environment by it; a test compares the table of docs/configuration.md with it.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox'

/** A variable. `expects` is what the message about a wrong value says is expected. */
function setting<T extends TSchema>(schema: T, expects: string, description: string): T {
  return { ...schema, expects, description }
}

const wholeNumber = (minimum: number, maximum: number, fallback: number, description: string) =>
  setting(
    Type.Integer({ minimum, maximum, default: fallback }),
    `a whole number from ${minimum} to ${maximum}`,
    description
  )

/** A union of string literals. */
export const oneOf = <const T extends string>(values: readonly T[], fallback?: T) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    fallback === undefined ? {} : { default: fallback }
  ) as unknown as TSchema & { static: T }

const choice = <const T extends string>(values: readonly T[], fallback: T, description: string) =>
  setting(oneOf(values, fallback), `one of ${values.join(', ')}`, description)

const optional = (schema: TSchema & { static: string }, expects: string, description: string) =>
  Type.Optional(setting(schema, expects, description))

/** An optional non-empty text. */
const text = (expects: string, description: string) => optional(Type.String({ minLength: 1 }), expects, description)

const list = (items: TSchema & { static: string }, expects: string, description: string) =>
  setting(Type.Array(items, { default: [] as string[] }), expects, description)

/** The form `host:port` or `[IPv6]:port`; src/config/redis.ts checks the ranges. */
const serverAddress = Type.String({ pattern: '^([A-Za-z0-9._-]{1,253}|\\[[0-9A-Fa-f:.]{2,45}\\]):[0-9]{1,5}$' })

const httpUrl = Type.String({ pattern: '^https?://[^\\s?#]+$' })

/** A host as URLs have it. It has a dot, so that nobody takes `yes` for one. */
const documentHost = '(([a-z0-9-]+\\.)+[a-z0-9-]+|localhost)(:[0-9]{1,5})?'

export const EnvironmentSchema = Type.Object({
  HOST: setting(
    Type.String({ minLength: 1, default: '127.0.0.1' }),
    'an address to listen on',
    'Address to listen on; `0.0.0.0` or `::` for all.'
  ),
  PORT: wholeNumber(0, 65535, 3333, 'Port to listen on.'),
  PUBLIC_URL: optional(
    httpUrl,
    'an https URL without query or fragment (http only for localhost)',
    'The URL clients and browsers reach the service at; `iss` and `aud` of its tokens, but for those of [resources](oauth.md#resources). Default `http://localhost:PORT`.'
  ),
  VERIFICATION_URI: optional(
    httpUrl,
    'an https URL without query or fragment (http only for localhost)',
    'The page on which a user enters the code. Default `PUBLIC_URL/device`.'
  ),
  CORS_ORIGINS: list(
    Type.String({ pattern: '^https?://[^\\s/?#*]+$' }),
    'a comma-separated list of origins such as https://app.example.com',
    'Origins whose pages may call the dashboard API, but for what programs call of it: start, poll and withdraw.'
  ),
  REDIS_URL: optional(
    Type.String({ pattern: '^rediss?://\\S+$' }),
    'a redis:// or rediss:// URL',
    'Where state lives, if that is one server. Without this, `REDIS_SENTINELS` and `REDIS_CLUSTER` one process keeps everything in its own memory, for trying out.'
  ),
  REDIS_SENTINELS: list(
    serverAddress,
    'a comma-separated list of addresses such as sentinel-1:26379',
    'Sentinels that know where state lives, instead of `REDIS_URL`; needs `REDIS_SENTINEL_NAME`.'
  ),
  REDIS_SENTINEL_NAME: optional(
    Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$' }),
    'at most 128 letters, digits and . _ -',
    'What the Sentinels call the servers, as in `sentinel monitor NAME`.'
  ),
  REDIS_CLUSTER: list(
    serverAddress,
    'a comma-separated list of addresses such as redis-1:6379',
    'Some servers of the Redis Cluster in which state lives, instead of `REDIS_URL`; they tell of the others.'
  ),
  REDIS_USERNAME: text(
    'a user of the ACL of Redis',
    'Who the servers are told this is, if not their default user. With `REDIS_URL` it stands in the URL.'
  ),
  REDIS_PASSWORD: text('a password', 'The password for the servers. With `REDIS_URL` it stands in the URL.'),
  REDIS_SENTINEL_USERNAME: text('a user of the ACL of the Sentinels', 'The same for the Sentinels.'),
  REDIS_SENTINEL_PASSWORD: text('a password', 'The same for the Sentinels.'),
  REDIS_TLS: choice(
    ['on', 'off'],
    'off',
    '`on` speaks TLS with the servers of `REDIS_SENTINELS` or `REDIS_CLUSTER`, and with the Sentinels. With `REDIS_URL` that is what rediss:// says.'
  ),
  REDIS_CA_FILE: text('the path of a PEM file', 'Certificates trusted for Redis, instead of those Node.js comes with.'),
  REDIS_TIMEOUT_MS: wholeNumber(
    200,
    30_000,
    1_000,
    'The longest a request waits for Redis, in milliseconds. Then it is answered with 503; what it asked for may have been done.'
  ),
  REDIS_WAIT_REPLICAS: wholeNumber(
    0,
    5,
    0,
    'How many replicas must have what a caller is told was done, so that it outlives its primary. When so many do not answer in time, the caller is told 503.'
  ),
  REDIS_PREFIX: setting(
    Type.String({ pattern: '^[A-Za-z0-9:._-]{0,64}$', default: 'grantd:' }),
    'at most 64 letters, digits and : . _ -',
    'Prefix of every key.'
  ),
  GRANTD_SECRET: list(
    Type.String({ minLength: 32 }),
    'one or more secrets of at least 32 characters, separated by commas',
    'Encrypts private keys at rest and keys user codes and refresh tokens. The first one writes, all of them read; how to rotate it is said under "Running it for real". Mandatory with Redis.'
  ),
  DASHBOARD_JWT_SECRET: list(
    Type.String({ minLength: 32 }),
    'one or more secrets of at least 32 characters, separated by commas',
    "Verifies the dashboard's session JWTs with HS256, each of them. With Redis, this, `DASHBOARD_JWKS_URL` or `PROVIDERS_FILE` is mandatory; with the last alone no session JWT is valid."
  ),
  DASHBOARD_JWKS_URL: optional(
    httpUrl,
    'an https URL (http only for localhost)',
    "Verifies the dashboard's session JWTs with the keys published there (RS256, ES256, EdDSA, Ed25519), instead of or besides the secrets. Needs `DASHBOARD_JWT_ISSUER` and `DASHBOARD_JWT_AUDIENCE`."
  ),
  DASHBOARD_JWT_ISSUER: text(
    'a text',
    'If set, `iss` of a session JWT must equal it. Mandatory with `DASHBOARD_JWKS_URL`.'
  ),
  DASHBOARD_JWT_AUDIENCE: text(
    'a text',
    'If set, `aud` of a session JWT must hold it. Mandatory with `DASHBOARD_JWKS_URL`.'
  ),
  DASHBOARD_JWT_TTL_SECONDS: wholeNumber(
    60,
    31_536_000,
    86_400,
    'How far ahead `exp` of a session JWT may be with `DASHBOARD_JWKS_URL`.'
  ),
  OAUTH_CLIENTS_FILE: text(
    'the path of a JSON file',
    'OAuth clients besides the five built-in ones, and changes of those; see "OAuth clients".'
  ),
  CLIENT_ID_METADATA: setting(
    Type.String({ pattern: `^(on|off|${documentHost}(, *${documentHost})*)$`, default: 'off' }),
    'on, off, or a comma-separated list of hosts such as mcp.example.com',
    'Whether clients may be [known by a URL](oauth.md#clients-known-by-a-url): any, or those of these hosts. Not before all instances know it.'
  ),
  RULES_FILE: text(
    'the path of a JSON file',
    'Rules that refuse a question, warn beside it, or want a new sign-in for it; see "Rules".'
  ),
  PROVIDERS_FILE: text(
    'the path of a JSON file',
    'Identity providers that users sign in with on the pages, and whose accounts they connect; see "Sign-in and connected accounts".'
  ),
  DEMO_SIGN_IN: choice(
    ['on', 'off'],
    'off',
    '`on` lets people sign in by typing any name over Redis too, as `docker-compose.yml` does for trying out: where `PUBLIC_URL` is on localhost and there is no `PROVIDERS_FILE`, and nowhere else. Nobody else may reach it then.'
  ),
  WEBHOOKS_FILE: text(
    'the path of a JSON file',
    'Endpoints that the events of the audit trail are sent to; see "Webhooks".'
  ),
  ADMINS: list(
    Type.String({
      pattern: '^(user|(identity|group):[a-z0-9][a-z0-9-]{0,31}):([^%\\u0000-\\u001f]|%[0-9A-Fa-f]{2})+$',
      maxLength: 2048
    }),
    'a comma-separated list of user:ID, identity:PROVIDER:SUBJECT and group:PROVIDER:NAME, with %2C for a comma in one of them',
    'Who may see [the admin pages](admin-pages.md): `user:ID`, `identity:PROVIDER:SUBJECT` or `group:PROVIDER:NAME`, separated by commas. Without it there are none. Needs `PROVIDERS_FILE`.'
  ),
  SERVICE_NAME: setting(
    Type.RegExp(/^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u, { default: 'grantd' }),
    'at most 64 characters, all of them visible, no space at either end',
    'What the pages call the service that access is asked for.'
  ),
  BRAND_COLOR: setting(
    Type.String({ pattern: '^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$', default: '#0b57c4' }),
    'a colour such as #0b57c4',
    'The accent of the pages. It needs a contrast of 4.5:1 with white; the accent of the dark scheme is made of it.'
  ),
  BRAND_LOGO_FILE: text(
    'the path of an SVG file',
    'The logo that the pages show instead of the name of the service, 28 pixels high: an SVG of at most 64 KiB that draws and nothing else.'
  ),
  ENVIRONMENT_ID: optional(
    Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' }),
    'a uuid in lower case',
    'The `environmentId` that `/sdk/{environmentId}/…` answers to. Without it there is none.'
  ),
  TOKENS_BASE_DOMAIN: optional(
    Type.String({ pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$', maxLength: 200 }),
    'a host name in lower case',
    'Providers of the tokens API are `https://{providerId}.TOKENS_BASE_DOMAIN`. Without it they are `PUBLIC_URL/{providerId}`.'
  ),
  PROVIDER_SIGNING_ALG: choice(
    ['RS256', 'ES256', 'EdDSA'],
    'RS256',
    'Algorithm of new keys of providers; every cloud takes RS256.'
  ),
  PROVIDER_KEY_SECONDS: wholeNumber(
    3_600,
    31_536_000,
    86_400,
    'A provider gets its next signing key when its newest is so old.'
  ),
  DNS_RESOLVER: optional(
    Type.String({ pattern: '^[0-9A-Fa-f:.]+$|^[0-9.]+:[0-9]{1,5}$|^\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5}$' }),
    'the address of a DNS server, with its port if that is not 53',
    'Where challenges of custom domains are looked up. Default: as the system does.'
  ),
  FOREIGN_ISSUER_CA_FILE: text(
    'the path of a PEM file',
    'Certificates trusted for foreign issuers, and for the documents of clients known by a URL, besides those Node.js comes with.'
  ),
  FOREIGN_ISSUERS_ON_LOOPBACK: choice(
    ['on', 'off'],
    'off',
    '`on` lets foreign issuers be on this machine, and there without TLS, and documents of clients, with it: for trying out and for tests.'
  ),
  SESSION_IDLE_SECONDS: wholeNumber(60, 86_400, 3_600, 'A session of the pages ends when it was not used for so long.'),
  SESSION_TTL_SECONDS: wholeNumber(
    300,
    86_400,
    43_200,
    'A session of the pages ends so long after sign-in, however much it is used.'
  ),
  CONSENT_MAX_AUTH_AGE_SECONDS: wholeNumber(
    60,
    86_400,
    3_600,
    'Who signed in longer ago than this signs in again before they approve or deny.'
  ),
  GRANT_TTL_SECONDS: wholeNumber(10, 900, 900, 'How long a grant waits for its decision.'),
  POLL_INTERVAL_SECONDS: wholeNumber(1, 60, 5, 'Seconds a client must leave between two polls.'),
  CLIENT_TOKEN_TTL_SECONDS: wholeNumber(
    60,
    2_592_000,
    2_592_000,
    'Life of an authorization of a built-in client, and of its client JWT (30 days at most). Beside a refresh token an access token lives an hour.'
  ),
  SIGNING_ALG: choice(['RS256', 'ES256', 'EdDSA'], 'RS256', 'Algorithm of the signing keys.'),
  TOKEN_STATUS_LIST: choice(
    ['on', 'off'],
    'off',
    '`on` has access tokens say where their [status list](protect-your-api.md#a-list-that-anybody-may-read) is, and serves the lists. Not before all instances know it.'
  ),
  TRUST_PROXY: list(
    Type.String({ pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' }),
    'a comma-separated list of addresses or CIDR ranges such as 10.0.0.0/8, none of them everything',
    'The proxies whose word about the address of a client is believed. Without it the client is whoever connects.'
  ),
  TRUST_PROXY_HEADER: choice(
    ['x-forwarded-for', 'forwarded'],
    'x-forwarded-for',
    'The header in which the proxies of `TRUST_PROXY` name the client; `forwarded` is that of RFC 7239. The other one is never read.'
  ),
  EDGE_HEADERS: Type.Optional(
    setting(
      oneOf(['cloudflare']),
      'cloudflare',
      'Whose location headers are believed (`cf-ipcity`, `cf-region`, `cf-ipcountry`), and only from `TRUST_PROXY`, which it needs.'
    )
  ),
  DOCS: Type.Optional(
    setting(
      oneOf(['on', 'off']),
      'one of on, off',
      'Whether `/docs` shows the API, to read and to try. Without it that is `off` with Redis, else `on`. `/openapi.json` is always there.'
    )
  ),
  LOG_LEVEL: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'How much is logged. `debug` adds a line for every routine poll and probe. On a terminal the default is `warn`.'
  ),
  LIMITS: choice(['on', 'off'], 'on', '`off` is for load tests: every limit but the pacing of polls is lifted.'),
  LIMIT_START_PER_MINUTE: wholeNumber(
    1,
    100_000,
    30,
    'Grants one address may start in a minute, requests of the authorization endpoint among them.'
  ),
  LIMIT_CLIENT_METADATA_PER_MINUTE: wholeNumber(
    1,
    100_000,
    20,
    'Fetches of documents of clients known by a URL that one address may cause in a minute.'
  ),
  LIMIT_PEEK_PER_MINUTE: wholeNumber(1, 100_000, 60, 'Peeks one address, and one user, may make in a minute.'),
  LIMIT_APPROVE_PER_MINUTE: wholeNumber(1, 100_000, 30, 'Decisions one address, and one user, may make in a minute.'),
  LIMIT_REFRESH_PER_MINUTE: wholeNumber(
    1,
    100_000,
    120,
    'Refreshes and redemptions of codes one address may ask for in a minute.'
  ),
  LIMIT_REVOKE_PER_MINUTE: wholeNumber(1, 100_000, 60, 'Revocations by token one address may ask for in a minute.'),
  LIMIT_INTROSPECT_PER_MINUTE: wholeNumber(
    1,
    1_000_000,
    6_000,
    'Introspections one client, or one API key, may make in a minute.'
  ),
  LIMIT_USERINFO_PER_MINUTE: wholeNumber(1, 100_000, 120, 'User info requests one address may make in a minute.'),
  LIMIT_SIGN_IN_PER_MINUTE: wholeNumber(
    1,
    100_000,
    30,
    'Sign-ins and connections one address may begin, and as many it may finish, in a minute.'
  ),
  LIMIT_ACCOUNT_PER_MINUTE: wholeNumber(
    1,
    100_000,
    120,
    'How often one user may look at, rename, revoke and end authorizations and connections in a minute; one address ten times as often.'
  ),
  LIMIT_PAGES_PER_MINUTE: wholeNumber(1, 100_000, 600, 'Pages one address may ask for in a minute.'),
  LIMIT_ACCESS_TOKEN_PER_MINUTE: wholeNumber(
    1,
    1_000_000,
    600,
    'Access tokens of connected accounts one user, or one API key, may ask for in a minute.'
  ),
  LIMIT_TOKENS_API_PER_HOUR: wholeNumber(
    1,
    10_000_000,
    1_000,
    'Requests one API key may make to the tokens API in an hour.'
  ),
  LIMIT_MISSES_PER_USER: wholeNumber(1, 1_000, 5, 'Wrong user codes one user may enter in 15 minutes.'),
  LIMIT_MISSES_PER_IP: wholeNumber(
    1,
    10_000,
    100,
    'Wrong user codes from one address (IPv6: one /64) in 15 minutes. It should be a multiple of what one user may enter, since many people may share an address.'
  ),
  LIMIT_WRONG_SECRETS_PER_IP: wholeNumber(
    1,
    10_000,
    10,
    'Wrong secrets of one client from one address (IPv6: one /64) in 15 minutes. Then the client is refused there, and nowhere else.'
  ),
  LIMIT_PENDING_PER_IP: wholeNumber(
    1,
    100_000,
    200,
    'Grants of one address (IPv6: one /64) that may wait for their decision at a time; of a /48 of IPv6 ten times as many.'
  ),
  LIMIT_PENDING_PER_CLIENT: wholeNumber(
    1,
    1_000_000,
    100_000,
    'Grants of one client that may wait for their decision at a time, whatever their addresses; of all clients known by a URL together as many.'
  ),
  TRUSTED_CALLERS: list(
    Type.String({ pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' }),
    'a comma-separated list of addresses or CIDR ranges such as 10.0.0.0/8, none of them everything',
    'Back ends that call for many users, such as that of your dashboard. No limit counts them by address, only by user, client and API key.'
  ),
  EVENTS_KEPT: wholeNumber(
    0,
    10_000_000,
    100_000,
    'How many events of the [audit trail](operations.md#the-audit-trail) Redis keeps, about, and as many once more of those that not anybody can cause; with 0 none. The oldest make room for the newest.'
  ),
  AUDIT_LOG: choice(
    ['stdout', 'off'],
    'off',
    '`stdout` writes each event of the audit trail to the standard output as well, as a JSON line of its own among those of the log.'
  ),
  HELD_POLLS: wholeNumber(
    0,
    100_000,
    10_000,
    'Polls with `Prefer: wait` that one instance holds at a time. Beyond that, and with 0 always, they are answered at once.'
  ),
  KEEP_ALIVE_SECONDS: Type.Optional(
    setting(
      Type.Integer({ minimum: 1, maximum: 3_600 }),
      'a whole number from 1 to 3600',
      'How long a connection may be idle. It should be longer than the balancer keeps one, or some requests meet a connection that is just being closed. Without it that is 620 behind `TRUST_PROXY`, else 72.'
    )
  ),
  SHUTDOWN_DELAY_SECONDS: wholeNumber(
    0,
    60,
    0,
    'Seconds between readiness turning red and the port closing, for load balancers to notice.'
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(
    httpUrl,
    'an http or https URL without query or fragment',
    'Where [traces](operations.md#traces) go, by OTLP over HTTP: they are on if this is set. `/v1/traces` is appended.'
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(
    httpUrl,
    'an http or https URL without query or fragment',
    'The same as a whole URL, to which nothing is appended; it goes before the other one.'
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: choice(
    ['http/protobuf', 'http/json', 'grpc'],
    'http/protobuf',
    'How traces are written. `grpc` is not spoken here, and refused where traces are on.'
  ),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: Type.Optional(
    setting(
      oneOf(['http/protobuf', 'http/json', 'grpc']),
      'one of http/protobuf, http/json, grpc',
      'The same; it goes before the other one.'
    )
  ),
  OTEL_TRACES_EXPORTER: Type.Optional(
    setting(
      oneOf(['otlp', 'console', 'none']),
      'one of otlp, console, none',
      '`otlp` turns traces on without an endpoint: to port 4318 of this machine. `console` writes them into the log. `none` turns them off.'
    )
  ),
  OTEL_TRACES_SAMPLER: choice(
    [
      ...['always_on', 'always_off', 'traceidratio'],
      ...['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio']
    ] as const,
    'parentbased_always_on',
    'Which requests are traced. With `parentbased` a caller whose `traceparent` is believed decides for its own.'
  ),
  OTEL_TRACES_SAMPLER_ARG: optional(
    Type.String({ pattern: '^(0|1|0?\\.[0-9]{1,9}|1\\.0{1,9})$' }),
    'a number from 0 to 1, such as 0.01',
    'The share of requests that a sampler with a ratio traces. Without it that is all of them.'
  ),
  OTEL_SDK_DISABLED: choice(['true', 'false'], 'false', '`true` turns traces off, whatever else is set.')
})

/** The parsed environment: defaults filled in, numbers as numbers, comma-separated lists as arrays. */
export type Environment = Static<typeof EnvironmentSchema>
