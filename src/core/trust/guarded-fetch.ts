/**
 * Fetches a URL that a caller chose, protected against SSRF: only https, only public addresses, and what json-document.ts
 * refuses for every document. It connects to the very address that it has checked, which prevents DNS rebinding. It also
 * returns the fingerprints of the server's certificates.
 */
import { X509Certificate } from 'node:crypto'
import { type LookupAddress, lookup } from 'node:dns'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'
import { type DetailedPeerCertificate, rootCertificates, type TLSSocket } from 'node:tls'
import ipaddr from 'ipaddr.js'
import { askForDocument, ForbiddenUrlError, NoDocumentError, readDocument } from './json-document.js'

export { ForbiddenUrlError, NoDocumentError }

const ANSWER_WITHIN_MS = 5_000

export interface GuardedAnswer {
  body: unknown
  headers: IncomingHttpHeaders
  /** SHA-1 and SHA-256 of every certificate of the chain, in upper case without colons; none over http. */
  fingerprints: string[]
}

/** What one fetch differs in: the size of its answer in bytes, and the media types that it asks for. */
export interface FetchTerms {
  largest?: number
  accept?: string
}

/** Rejects with ForbiddenUrlError, with NoDocumentError, or with the error that prevented an answer. */
export type GuardedFetch = (url: string, terms?: FetchTerms) => Promise<GuardedAnswer>

export interface GuardedFetchParts {
  /** Also allows the loopback, even without TLS, for trying out and for tests. */
  allowLoopback: boolean
  /** Certificates that are trusted besides those of the system, as PEM. */
  ca: string | undefined
  lookup?: typeof lookup
}

export function createGuardedFetch({ allowLoopback, ca, lookup: resolve = lookup }: GuardedFetchParts): GuardedFetch {
  const isAllowed = (address: string) => isPublic(address) || (allowLoopback && isLoopback(address))

  /** Looks a name up as Node.js does, and refuses it unless all its addresses are allowed. */
  const guardedLookup: LookupFunction = (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as LookupAddress[] | undefined
      if (error || !addresses?.length) return done(error ?? new Error('no address'), [], 0)
      if (!addresses.every(({ address }) => isAllowed(address))) {
        return done(new ForbiddenUrlError('the host has an address that is not public'), [], 0)
      }
      const [first] = addresses as [LookupAddress]
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }

  return async (text, { largest, accept } = {}) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (!url || url.username || url.password) throw new ForbiddenUrlError('no URL to fetch from')
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // A literal address is not looked up, so guardedLookup never sees it.
    if (isIP(host) !== 0 && !isAllowed(host)) throw new ForbiddenUrlError('an address that is not public')
    const isPlain = url.protocol === 'http:'
    if (isPlain ? !allowLoopback : url.protocol !== 'https:') throw new ForbiddenUrlError('https is needed')
    if (isPlain && !(isIP(host) !== 0 ? isLoopback(host) : host === 'localhost')) {
      throw new ForbiddenUrlError('https is needed')
    }
    // Connections are not kept alive: the address of a kept one was checked for another request.
    const answer = await askForDocument(url, ANSWER_WITHIN_MS, {
      lookup: guardedLookup,
      ...(accept !== undefined && { headers: { accept } }),
      ...(ca !== undefined && { ca: [...rootCertificates, ca] })
    })
    // A server has certificates only while the connection stands, which ends with the body.
    const fingerprints = fingerprintsOf(answer)
    return { body: await readDocument(answer, largest), headers: answer.headers, fingerprints }
  }
}

/**
 * Returns the fingerprints of the certificate and of those that signed it in turn. Unrelated certificates that the
 * server sends along do not count.
 */
function fingerprintsOf({ socket }: IncomingMessage): string[] {
  if (!('getPeerCertificate' in socket)) return []
  const found = new Set<string>()
  const seen = new Set<DetailedPeerCertificate>()
  let next: DetailedPeerCertificate | undefined = (socket as TLSSocket).getPeerCertificate(true)
  let below: X509Certificate | undefined
  // A root certificate is its own issuer, which ends the chain.
  while (next?.raw && !seen.has(next)) {
    seen.add(next)
    const certificate = new X509Certificate(next.raw)
    if (below && !below.verify(certificate.publicKey)) break
    found.add(readFingerprint(certificate.fingerprint))
    found.add(readFingerprint(certificate.fingerprint256))
    below = certificate
    next = next.issuerCertificate
  }
  return [...found]
}

/** Ignores case and colons. */
export function readFingerprint(text: string): string {
  return text.replaceAll(':', '').toUpperCase()
}

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
