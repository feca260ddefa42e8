/**
 * Tells requests for an issuer's own host from those for this service: under an issuer's host nothing but its documents is found,
 * and every host that is no issuer's is the service's own, whatever it is called inside a cluster. (Fastify's own constraint by
 * host would have to know the hosts beforehand.)
 */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What both an issuer and this service have: there a wrong guess would hand out the wrong document. */
const DOCUMENTS = '/.well-known/'
/** It tells nothing but that the process runs. */
const LIVENESS = '/healthz'
/** Where a request keeps why nobody could say whose its host is. */
const HOST_FAULT = Symbol('host fault')

type Kept = IncomingMessage & { [HOST_FAULT]?: unknown }
type Derived = (error: null, isIssuers: true | undefined) => void

/** The host of a Host header in lower case, without its port and the dot of the root; an IPv6 address comes without brackets. */
export function nameOf(host = ''): string {
  return host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
}

/** Why nobody could say whose host a request is for. Undefined if it is known. */
export function whyHostUnknown({ raw }: FastifyRequest): unknown {
  return (raw as Kept)[HOST_FAULT]
}

/**
 * The constraint `issuerHost`: true on the hosts of issuers, where no route without it is found. Who has a custom domain is looked
 * up (IssuerDocuments, which keeps what it finds for a second). The host of PUBLIC_URL, addresses and names without a dot never
 * cost a look. While nobody can look, a host stays whose it was, and one that nobody has seen before is refused. `appOf` is called with the first request.
 */
export function issuerHostConstraint(publicUrl: string, appOf: () => FastifyInstance) {
  const own = nameOf(new URL(publicUrl).hostname)
  /** The last Host header and its name: nearly all requests have the same one. */
  let last: { header: string | undefined; name: string } = { header: undefined, name: '' }

  function deriveConstraint(request: Kept, _context: unknown, done: Derived): void {
    const header = request.headers.host
    if (header !== last.header) last = { header, name: nameOf(header) }
    const isIssuers = last.name !== own && appOf().core.issuerDocuments.isIssuersHost(last.name)
    if (typeof isIssuers === 'boolean') done(null, isIssuers || undefined)
    else lookAt(request, isIssuers, done)
  }

  function lookAt(request: Kept, isIssuers: Promise<boolean>, done: Derived): void {
    const { name } = last
    isIssuers.then(
      (found) => done(null, found || undefined),
      (error) => {
        // Whatever else needs the storage says so itself, in its own way.
        const isService = appOf().core.issuerDocuments.wasNoIssuersHost(name) && !isAtDocuments(request.url)
        // An instance is not restarted because it cannot say whose a host is.
        if (!isService && request.url !== LIVENESS) request[HOST_FAULT] = error
        done(null, HOST_FAULT in request || undefined)
      }
    )
  }

  return {
    name: 'issuerHost',
    storage() {
      const handlers = new Map<unknown, unknown>()
      return {
        get: (isIssuers: unknown) => (handlers.get(isIssuers) ?? null) as never,
        set: (isIssuers: unknown, handler: unknown) => void handlers.set(isIssuers, handler)
      }
    },
    // The router calls a function of three parameters as one that answers later.
    deriveConstraint: deriveConstraint as never,
    mustMatchWhenDerived: true
  }
}

/** The router decodes a path as well. */
function isAtDocuments(url = ''): boolean {
  try {
    return decodeURIComponent(url.split('?', 1)[0] as string).includes(DOCUMENTS)
  } catch {
    // A path that cannot be decoded leads nowhere.
    return false
  }
}
