/**
 * The public documents of issuers that this process made a moment ago, by path and by host. Issuers and domains forget here what
 * they change, so that the instance that deletes something stops showing it at once; the documents are made by
 * issuer-documents.ts.
 */
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { IssuerUrls } from './issuer-urls.js'

const FRESH_MS = 1_000
const MOST_HELD = 10_000

export interface Documents {
  /** OpenID Connect Discovery 1.0 §3. */
  metadata: string
  /** RFC 7517 §5. */
  jwks: string
}

type Make = () => Promise<Documents | undefined>

export interface HeldDocuments {
  /** What is held for the path of an issuer, or else what is made now, which is then held for a second unless it failed. */
  byPath(issuerId: string, make: Make): Promise<Documents | undefined>
  /** The same for a host. */
  byHost(host: string, make: Make): Promise<Documents | undefined>
  /** Forgets what is held for the path of an issuer, for its own host, and for these hosts. */
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
