/**
 * Fetches a URL that a caller chose, protected against SSRF: url-guard.ts says which may be asked, and json-document.ts refuses
 * what is refused of every document. It also returns the fingerprints of the server's certificates.
 */
import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { askForDocument, ForbiddenUrlError, NoDocumentError, readDocument } from './json-document.js'
import { createStrangersLookup, hasNoAddress } from './strangers-names.js'
import { trustedCertificates } from './trusted-certificates.js'
import { createUrlGuard, type Lookup } from './url-guard.js'

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
  /** Where names are looked up, as an address; by default the system's servers. Unused with the loopback. */
  dnsResolver?: string | undefined
  lookup?: Lookup
}

export function createGuardedFetch({ allowLoopback, ca, dnsResolver, ...parts }: GuardedFetchParts): GuardedFetch {
  // Names of this machine are known to its own files alone.
  const resolve = parts.lookup ?? (allowLoopback ? lookup : createStrangersLookup(dnsResolver))
  const certificates = trustedCertificates(ca)
  const guard = createUrlGuard({ allowLoopback, lookup: resolve })

  return async (text, { largest, accept } = {}) => {
    // Connections are not kept alive: the address of a kept one was checked for another request.
    const answer = await askForDocument(guard.check(text), ANSWER_WITHIN_MS, {
      lookup: guard.lookup,
      ...(accept !== undefined && { headers: { accept } }),
      ...certificates
    }).catch((error: unknown) => {
      // Told apart from a name of the inside, it would say which of those there are.
      throw hasNoAddress(error) ? new ForbiddenUrlError('the host has no address', { cause: error }) : error
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
