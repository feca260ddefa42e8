/**
 * Which URLs that others chose may be asked, against SSRF: only https, only public addresses. Names are looked up by a function
 * that refuses addresses which are not, so that a connection goes to the very address that was checked (DNS rebinding).
 */
import { type LookupAddress, type LookupAllOptions, lookup, NODATA } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { ForbiddenUrlError } from './json-document.js'

/** Finds all addresses of a name, as dns.lookup does with `all`. */
export type Lookup = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
) => void

export interface UrlGuardParts {
  /** Also allows the loopback, even without TLS, for trying out and for tests. */
  allowLoopback: boolean
  /** By default as Node.js does. */
  lookup?: Lookup | undefined
}

export interface UrlGuard {
  /** The URL of a text. Throws ForbiddenUrlError unless its form may be asked. */
  check(text: string): URL
  /** Looks a name up, and refuses it unless all its addresses are allowed. */
  lookup: LookupFunction
}

export function createUrlGuard({ allowLoopback, lookup: resolve = lookup }: UrlGuardParts): UrlGuard {
  const isAllowed = (address: string) => isPublic(address) || (allowLoopback && isLoopback(address))

  return {
    check(text) {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (!url || url.username || url.password) throw new ForbiddenUrlError('no URL to fetch from')
      const host = url.hostname.replace(/^\[|\]$/g, '')
      // A literal address is not looked up, so the lookup never sees it.
      if (isIP(host) !== 0 && !isAllowed(host)) throw new ForbiddenUrlError('an address that is not public')
      const isPlain = url.protocol === 'http:'
      if (isPlain ? !allowLoopback : url.protocol !== 'https:') throw new ForbiddenUrlError('https is needed')
      if (isPlain && !(isIP(host) !== 0 ? isLoopback(host) : host === 'localhost')) {
        throw new ForbiddenUrlError('https is needed')
      }
      return url
    },

    lookup(hostname, options, done) {
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        if (error || !addresses?.length) return done(error ?? noAddress(), [], 0)
        if (!addresses.every(({ address }) => isAllowed(address))) {
          return done(new ForbiddenUrlError('the host has an address that is not public'), [], 0)
        }
        const [first] = addresses as [LookupAddress]
        if (options.all) done(null, addresses)
        else done(null, first.address, first.family)
      })
    }
  }
}

const noAddress = () => Object.assign(new Error('no address'), { code: NODATA })

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 {
  const parsed = ipaddr.parse(address)
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed
}

/** Hosts of the internet have only these IPv6 addresses, but ipaddr.js also counts `::a00:1` (10.0.0.1) as unicast. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = parse(address)
  return parsed.range() === 'unicast' && (parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_UNICAST))
}

function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && parse(address).range() === 'loopback'
}
