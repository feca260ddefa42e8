/** app.whereabouts: the address and the place of a request. Believes the proxies of TRUST_PROXY alone, and their EDGE_HEADERS. */
import { compile } from '@fastify/proxy-addr'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Actor, Origin, Whence } from '../src/core/audit/event.js'
import type { Location } from '../src/core/grants/grant.js'
import { addressOf, clientBehind } from './forwarded.js'

export interface Whereabouts {
  /** The address of the client, in one spelling for all. It is the peer's where nobody is trusted to name another. */
  ip(request: FastifyRequest): string
  /** What counts as one address in limits: an IPv4 address, or the /64 of an IPv6 address. */
  network(request: FastifyRequest): string
  /** What limits count an address as; undefined for TRUSTED_CALLERS, which are not counted by address. */
  countedAs(ip: string): string | undefined
  /** The /48 of an IPv6 address, which one customer of a provider may have as a whole. */
  siteOf(ip: string): string | undefined
  location(request: FastifyRequest): Location | undefined
  /** Where a request comes from, as the audit trail tells it. */
  whence(request: FastifyRequest): Whence & { ip: string }
  /** The same with who asks. */
  origin(request: FastifyRequest, actor: Actor): Origin & { ip: string }
  /** Whether whoever connected is one of the proxies. */
  isBehindProxy(request: FastifyRequest): boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    whereabouts: Whereabouts
  }
}

const LONGEST_LOCATION = 256
const SITE_BITS = 48

export const whereabouts = fp(
  async (app) => {
    const { trustProxy, trustProxyHeader, trustedCallers, edgeHeaders } = app.config
    const isProxy = compile([...trustProxy])
    const isTrusted = compile([...trustedCallers])
    const trusts = (address: string) => isProxy(address, 0)
    const peerOf = ({ socket: { remoteAddress = '' } }: FastifyRequest) => addressOf(remoteAddress) ?? remoteAddress

    function ip(request: FastifyRequest): string {
      const peer = peerOf(request)
      if (!trusts(peer)) return peer
      const header = request.headers[trustProxyHeader]
      return clientBehind(peer, typeof header === 'string' ? header : undefined, trustProxyHeader, trusts)
    }

    function location(request: FastifyRequest): Location | undefined {
      if (!edgeHeaders || !trusts(peerOf(request))) return undefined
      const [city, region, country] = ['cf-ipcity', 'cf-region', 'cf-ipcountry'].map((name) =>
        readHeader(request, name)
      )
      const whole = [city, region, country].filter(Boolean).join(', ')
      if (!whole) return undefined
      // By characters: half of one is no text.
      const text = [...whole].slice(0, LONGEST_LOCATION).join('')
      return country && isCountry(country) ? { text, country } : { text }
    }

    const whence = (request: FastifyRequest) => ({ ip: ip(request), location: location(request)?.text })

    app.decorate('whereabouts', {
      ip,
      isBehindProxy: (request) => trusts(peerOf(request)),
      network: (request) => normalizeIP(ip(request)),
      countedAs: (ip) => (isTrusted(ip, 0) ? undefined : normalizeIP(ip)),
      siteOf(ip) {
        const site = normalizeIP(ip, SITE_BITS)
        return site.includes(':') ? site : undefined
      },
      location,
      whence,
      origin: (request, actor) => ({ actor, ...whence(request) })
    })
  },
  { name: 'whereabouts', dependencies: ['config'] }
)

/** Decodes UTF-8, which the edge sends and Node reads as Latin-1. */
function readHeader({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8').trim() : undefined
}

/** The edge sends XX for an unknown country and T1 for Tor: neither can be compared. */
function isCountry(code: string): boolean {
  return /^[A-Z]{2}$/.test(code) && code !== 'XX'
}
