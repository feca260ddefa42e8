/**
 * A short-lived cache of the public documents of issuers in this process, by path and by host. A change of an issuer or
 * domain removes its documents here, so that the instance which deletes something stops showing it at once.
 * issuer-documents.ts makes them.
 */
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { IssuerUrls } from './issuer-urls.js'

const FRESH_MS = 1_000
const MOST_HELD = 10_000

export interface Documents {
  /** The metadata of OpenID Connect Discovery 1.0 §3. */
  metadata: string
  /** The JWK Set of RFC 7517 §5. */
  jwks: string
}

type Make = () => Promise<Documents | undefined>

export interface HeldDocuments {
  /**
   * Resolves to the cached documents of an issuer's path, or makes them and caches them for a second unless that fails.
   */
  byPath(issuerId: string, make: Make): Promise<Documents | undefined>
  /** Does the same for a host. */
  byHost(host: string, make: Make): Promise<Documents | undefined>
  /** Removes the documents of an issuer's path, of its default host and of these hosts. */
  forget(issuerId: string, hosts: readonly string[]): void
}

interface Held {
  documents: Promise<Documents | undefined>
  untilMs: number
}

export function createHeldDocuments(urls: IssuerUrls, clock: Clock): HeldDocuments {
  const held = createBoundedCache<Held>(MOST_HELD)

  function fresh(name: string, make: Make): Promise<Documents | undefined> {
    const known = held.get(name)
    if (known && known.untilMs > clock()) return known.documents
    const documents = make()
    held.set(name, { documents, untilMs: clock() + FRESH_MS })
    documents.catch(() => held.delete(name))
    return documents
  }

  return {
    byPath: (issuerId, make) => fresh(`path ${issuerId}`, make),
    byHost: (host, make) => fresh(`host ${host}`, make),

    forget(issuerId, hosts) {
      held.delete(`path ${issuerId}`)
      held.delete(`host ${new URL(urls.byDefault(issuerId)).hostname}`)
      for (const host of hosts) held.delete(`host ${host}`)
    }
  }
}
