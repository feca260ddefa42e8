/**
 * A short-lived cache in this process of the public documents of issuers, by path and by host, and of whose a host is. A change of an issuer or
 * domain removes its documents here, so that the instance which deletes something stops showing it at once.
 * issuer-documents.ts makes them.
 */
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { IssuerUrls } from './issuer.js'

const FRESH_MS = 1_000
const MOST_HELD = 10_000

export interface Documents {
  /** The metadata of OpenID Connect Discovery 1.0 §3. */
  metadata: string
  /** The JWK Set of RFC 7517 §5. */
  jwks: string
}

type Make = () => Promise<Documents | undefined>
/** At once if they were made less than a second ago. */
export type Given = Documents | undefined | Promise<Documents | undefined>

export interface HeldDocuments {
  /** The cached documents of an issuer's path. Otherwise makes them, and caches them for a second unless that fails. */
  byPath(issuerId: string, make: Make): Given
  /** Does the same for a host. */
  byHost(host: string, make: Make): Given
  /**
   * Whether a host is an issuer's: at once if that was found out less than a second ago, otherwise after a look. When the look fails
   * a host that was an issuer's still is one; for any other host it rejects.
   */
  isIssuers(host: string, look: () => Promise<boolean>): boolean | Promise<boolean>
  /** Whether the last look at a host that did not fail found that it is no issuer's. */
  wasNoIssuers(host: string): boolean
  /** Removes the documents of an issuer's path, of its default host and of these hosts. */
  forget(issuerId: string, hosts: readonly string[]): void
}

interface Held {
  documents: Given
  untilMs: number
}

interface Whose {
  isIssuers: boolean | Promise<boolean>
  untilMs: number
}

export function createHeldDocuments(urls: IssuerUrls, clock: Clock): HeldDocuments {
  const held = createBoundedCache<Held>(MOST_HELD)
  const hosts = createBoundedCache<Whose>(MOST_HELD)
  // What the last look found, apart: whoever makes hosts up pushes out others that are nobody's, and none of an issuer.
  const issuersHosts = createBoundedCache<true>(MOST_HELD)
  const otherHosts = createBoundedCache<true>(MOST_HELD)

  function remember(host: string, isIssuers: boolean): void {
    const [here, there] = isIssuers ? [issuersHosts, otherHosts] : [otherHosts, issuersHosts]
    here.set(host, true)
    there.delete(host)
  }

  function fresh(name: string, make: Make): Given {
    const known = held.get(name)
    return known && known.untilMs > clock() ? known.documents : makeAgain(name, make)
  }

  function makeAgain(name: string, make: Make): Given {
    const documents = make()
    const made: Held = { documents, untilMs: clock() + FRESH_MS }
    held.set(name, made)
    documents.then(
      (ready) => (made.documents = ready),
      () => held.delete(name)
    )
    return documents
  }

  function lookAgain(host: string, look: () => Promise<boolean>): Promise<boolean> {
    const isIssuers = look().then(
      (is) => {
        whose.isIssuers = is
        remember(host, is)
        return is
      },
      (error) => {
        whose.untilMs = 0
        if (issuersHosts.get(host)) return true
        throw error
      }
    )
    const whose: Whose = { isIssuers, untilMs: clock() + FRESH_MS }
    hosts.set(host, whose)
    return isIssuers
  }

  return {
    isIssuers(host, look) {
      const known = hosts.get(host)
      return known && known.untilMs > clock() ? known.isIssuers : lookAgain(host, look)
    },

    wasNoIssuers: (host) => otherHosts.get(host) === true,

    byPath: (issuerId, make) => fresh(`path ${issuerId}`, make),
    byHost: (host, make) => fresh(`host ${host}`, make),

    forget(issuerId, changed) {
      held.delete(`path ${issuerId}`)
      held.delete(`host ${new URL(urls.byDefault(issuerId)).hostname}`)
      for (const host of changed) {
        held.delete(`host ${host}`)
        for (const cache of [hosts, issuersHosts, otherHosts]) cache.delete(host)
      }
    }
  }
}
