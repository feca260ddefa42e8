/**
 * Tells requests for an issuer's own host from those for this service: a host that is a name, and neither the one of
 * PUBLIC_URL nor this machine. (Fastify's own constraint by host would have to know the hosts beforehand.)
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** The host of a Host header in lower case, without its port; an IPv6 address comes without its brackets. */
export function nameOf(host = ''): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

export function foreignHostConstraint(publicUrl: string) {
  const own = new URL(publicUrl).hostname.toLowerCase()

  /** The last Host header and what it was found to be: nearly all requests have the same one. */
  let last: { header: string | undefined; isForeign: boolean } = { header: undefined, isForeign: false }

  function isForeign({ headers }: IncomingMessage): boolean {
    if (headers.host !== last.header) {
      const host = nameOf(headers.host)
      last = { header: headers.host, isForeign: host.includes('.') && host !== own && isIP(host) === 0 }
    }
    return last.isForeign
  }

  return {
    name: 'foreignHost',
    storage() {
      const handlers = new Map<unknown, unknown>()
      return {
        get: (isForeign: unknown) => (handlers.get(isForeign) ?? null) as never,
        set: (isForeign: unknown, handler: unknown) => void handlers.set(isForeign, handler)
      }
    },
    deriveConstraint: (request: unknown) => (isForeign(request as IncomingMessage) ? true : undefined) as never,
    mustMatchWhenDerived: false
  }
}
