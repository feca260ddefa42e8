/** The checks of the environment that take more than a look at the shape of one variable. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { type Environment, EnvironmentSchema } from '../../schemas/config.js'
import { REDIS_PLACES, redisFaults } from './redis.js'

const expectation = (name: keyof Environment) => `${name}: expected ${EnvironmentSchema.properties[name].expects}`

/**
 * What is wrong with values that are well-formed each by itself: one line per fault, the variable first. Those that are not are
 * absent from `env`, and known by their names.
 */
export function* crossFaults(env: Environment, malformed: ReadonlyMap<string, unknown>): Generator<string> {
  for (const name of ['PUBLIC_URL', 'VERIFICATION_URI', 'DASHBOARD_JWKS_URL'] as const) {
    const url = env[name]
    if (url !== undefined && !isSafeUrl(url)) yield expectation(name)
  }
  if (env.PUBLIC_URL && !PLAIN_PATH.test(env.PUBLIC_URL)) {
    yield 'PUBLIC_URL: its path may hold letters, digits and . _ ~ - / only, everything is served under it'
  }
  if (!env.TRUST_PROXY.every(isNarrowRange)) yield expectation('TRUST_PROXY')
  if (env.DNS_RESOLVER && !isDnsServer(env.DNS_RESOLVER)) yield expectation('DNS_RESOLVER')
  if (env.EDGE_HEADERS && env.TRUST_PROXY.length === 0) {
    yield 'EDGE_HEADERS: needs TRUST_PROXY, the addresses of the edge that sets these headers'
  }
  if (env.DASHBOARD_JWT_SECRET && env.DASHBOARD_JWKS_URL) {
    yield 'DASHBOARD_JWKS_URL: not together with DASHBOARD_JWT_SECRET, sessions are verified one way'
  }
  if (env.DASHBOARD_JWT_SECRET && env.GRANTD_SECRET.includes(env.DASHBOARD_JWT_SECRET)) {
    yield 'DASHBOARD_JWT_SECRET: must differ from GRANTD_SECRET, one secret serves one purpose'
  }
  // Where Redis should be is not known then, and what goes with what cannot be said.
  if (!REDIS_PLACES.some((name) => malformed.has(name))) yield* redisFaults(env)
}

/** No part of it means something to a router or has two spellings. */
const PLAIN_PATH = /^https?:\/\/[^/]+(\/[A-Za-z0-9._~-]+)*\/*$/

/** Plain http is good enough only where nothing leaves the machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username || url.password) return false
  return url.protocol === 'https:' || isLoopback(url.hostname)
}

/** Whether a host is this machine and nothing else, as it stands in a URL or in HOST. */
export function isLoopback(host: string): boolean {
  return ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host)
}

/** An address, with a port or without. Node.js itself ends the process over port 0. */
function isDnsServer(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, v6 = '', v4 = '', port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  return (isIPv6(v6) || isIPv4(v4)) && Number(port) >= 1 && Number(port) <= 65_535
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
