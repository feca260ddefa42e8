/** The checks of the environment that a schema of one variable cannot express. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { type Environment, EnvironmentSchema } from '../../schemas/config.js'
import { brandColorFault } from './brand-color.js'
import { REDIS_PLACES, redisFaults } from './redis.js'
import { tracingFaults } from './tracing.js'

const expectation = (name: keyof Environment) => `${name}: expected ${EnvironmentSchema.properties[name].expects}`

/**
 * The faults of values whose shapes are valid: one line each, beginning with the variable's name. Variables of invalid shape
 * are absent from `env`; `malformed` has their names.
 */
export function* crossFaults(env: Environment, malformed: ReadonlyMap<string, unknown>): Generator<string> {
  for (const name of ['PUBLIC_URL', 'VERIFICATION_URI', 'DASHBOARD_JWKS_URL'] as const) {
    const url = env[name]
    if (url !== undefined && !isSafeUrl(url)) yield expectation(name)
  }
  if (env.PUBLIC_URL && !PLAIN_PATH.test(env.PUBLIC_URL)) {
    yield 'PUBLIC_URL: its path may hold letters, digits and . _ ~ - / only, everything is served under it'
  }
  for (const name of ['TRUST_PROXY', 'TRUSTED_CALLERS'] as const) {
    if (!env[name].every(isNarrowRange)) yield expectation(name)
  }
  if (env.DNS_RESOLVER && !isDnsServer(env.DNS_RESOLVER)) yield expectation('DNS_RESOLVER')
  if (env.EDGE_HEADERS && env.TRUST_PROXY.length === 0) {
    yield 'EDGE_HEADERS: needs TRUST_PROXY, the addresses of the edge that sets these headers'
  }
  if (env.TRUST_PROXY_HEADER === 'forwarded' && env.TRUST_PROXY.length === 0) {
    yield 'TRUST_PROXY_HEADER: needs TRUST_PROXY, the addresses of the proxies that set this header'
  }
  if (env.WEBHOOKS_FILE && env.EVENTS_KEPT === 0) {
    yield 'WEBHOOKS_FILE: needs EVENTS_KEPT, what is delivered is read from the events that are kept'
  }
  if (env.DASHBOARD_JWKS_URL) {
    for (const name of ['DASHBOARD_JWT_ISSUER', 'DASHBOARD_JWT_AUDIENCE'] as const) {
      if (env[name] === undefined) {
        yield `${name}: mandatory with DASHBOARD_JWKS_URL, whose keys may sign JWTs for other services as well`
      }
    }
  }
  if (env.DASHBOARD_JWT_SECRET.some((secret) => env.GRANTD_SECRET.includes(secret))) {
    yield 'DASHBOARD_JWT_SECRET: must differ from GRANTD_SECRET, one secret serves one purpose'
  }
  const unreadable = brandColorFault(env.BRAND_COLOR)
  if (unreadable !== undefined) yield `BRAND_COLOR: ${unreadable}`
  yield* tracingFaults(env)
  // A malformed place makes it unknown which kind of Redis is meant, so the checks of combinations would mislead.
  if (!REDIS_PLACES.some((name) => malformed.has(name))) yield* redisFaults(env, isDemo(env))
}

/** Whether people are to sign in by typing a name, where nobody from another machine is sent. */
export function isDemo({ DEMO_SIGN_IN, PUBLIC_URL = 'http://localhost' }: Environment): boolean {
  return DEMO_SIGN_IN === 'on' && URL.canParse(PUBLIC_URL) && isThisMachine(new URL(PUBLIC_URL).hostname)
}

/** A URL whose path has no characters that are special to the router (: and *) or can be percent-encoded in two ways. */
const PLAIN_PATH = /^https?:\/\/[^/]+(\/[A-Za-z0-9._~-]+)*\/*$/

/** Whether a URL is https, or http on a loopback address, and has no credentials in it. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username || url.password) return false
  return url.protocol === 'https:' || isThisMachine(url.hostname)
}

/** Whether a host, as written in a URL or in HOST, is one by which a machine calls itself: of 127.0.0.0/8 that is the first alone. */
export function isThisMachine(host: string): boolean {
  return ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host)
}

/** Whether a text is an IP address, with or without a port. Port 0 is refused because it crashes Node.js's resolver. */
function isDnsServer(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, v6 = '', v4 = '', port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  return (isIPv6(v6) || isIPv4(v4)) && Number(port) >= 1 && Number(port) <= 65_535
}

/**
 * Whether a text is an address or a CIDR range that is not everything. With a range of all addresses (or all IPv4-mapped ones),
 * any client could choose, by X-Forwarded-For, the address that its limits count.
 */
function isNarrowRange(range: string): boolean {
  // ipaddr.js also accepts abbreviated addresses such as 10.0.0/8, whose meaning is ambiguous.
  if (isIP(range.split('/', 1)[0] ?? '') === 0) return false
  if (!range.includes('/')) return true
  if (!ipaddr.isValidCIDR(range)) return false
  const [network, bits] = ipaddr.parseCIDR(range)
  return bits > (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() ? 96 : 0)
}
