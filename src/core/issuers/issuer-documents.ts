/**
 * The public side of providers: discovery documents and key sets by path and by host, made once and handed out as text for a
 * moment, so that they cost no more than a static answer. Deleting a provider is seen by every instance within that moment,
 * and at once by the one that does it.
 */
import type { Clock } from '../clock.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { Domains } from './domains.js'
import type { IssuerKeys } from './issuer-keys.js'
import { type IssuerUrls, isIssuerId } from './issuer-urls.js'
import type { Issuers } from './issuers.js'

const FRESH_MS = 1_000
const MOST_HELD = 10_000

export interface Documents {
  /** OpenID Connect Discovery 1.0 §3. */
  metadata: string
  /** RFC 7517 §5. */
  jwks: string
}

export interface IssuerDocuments {
  byPath(providerId: string): Promise<Documents | undefined>
  /** A provider's own host under the base domain, or a verified custom domain. */
  byHost(host: string): Promise<Documents | undefined>
  /** Forgets what is known of a provider that was changed here. */
  forget(providerId: string, hosts: readonly string[]): void
}

export interface IssuerDocumentsParts {
  issuers: Issuers
  domains: Domains
  keys: IssuerKeys
  urls: IssuerUrls
  clock: Clock
}

interface Held {
  documents: Promise<Documents | undefined>
  untilMs: number
}

export function createIssuerDocuments({ issuers, domains, keys, urls, clock }: IssuerDocumentsParts): IssuerDocuments {
  const held = createBoundedCache<Held>(MOST_HELD)

  function fresh(name: string, look: () => Promise<Documents | undefined>) {
    const known = held.get(name)
    if (known && known.untilMs > clock()) return known.documents
    const documents = look()
    held.set(name, { documents, untilMs: clock() + FRESH_MS })
    documents.catch(() => held.delete(name))
    return documents
  }

  async function documentsOf(providerId: string, issuer: string): Promise<Documents | undefined> {
    if ((await issuers.ownerOf(providerId)) === undefined) return undefined
    const published = (await keys.of(providerId)).published()
    const metadata = {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(published.map(({ alg }) => alg))],
      claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'client_id']
    }
    return { metadata: JSON.stringify(metadata), jwks: JSON.stringify({ keys: published }) }
  }

  return {
    byPath: (providerId) =>
      isIssuerId(providerId)
        ? fresh(`path ${providerId}`, () => documentsOf(providerId, urls.byPath(providerId)))
        : Promise.resolve(undefined),

    byHost: (host) =>
      fresh(`host ${host}`, async () => {
        const providerId = urls.issuerOfHost(host) ?? (await domains.issuerOf(host))
        return providerId === undefined ? undefined : documentsOf(providerId, urls.byHost(host))
      }),

    forget(providerId, hosts) {
      held.delete(`path ${providerId}`)
      held.delete(`host ${new URL(urls.byDefault(providerId)).hostname}`)
      for (const host of hosts) held.delete(`host ${host}`)
    }
  }
}
