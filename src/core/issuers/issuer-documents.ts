/**
 * The public documents of issuers: discovery metadata and key sets, by path and by host. They are cached as text for a
 * second (held-documents.ts), so that they cost no more than a static answer. Every instance sees a deletion within
 * that time.
 */
import type { Domains } from './domains.js'
import type { Documents, Given, HeldDocuments } from './held-documents.js'
import { type IssuerUrls, isDomain, isIssuerId } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'
import type { Issuers } from './issuers.js'

export interface IssuerDocuments {
  byPath(issuerId: string): Given
  /** Finds an issuer by its host under the base domain, or by a verified custom domain. */
  byHost(host: string): Given
  /**
   * Whether a host is an issuer's: below the base domain by its name alone, whether or not there is such an issuer, otherwise by a
   * verified custom domain. At once wherever that takes no look. A look that fails rejects, unless the host was an issuer's before.
   */
  isIssuersHost(host: string): boolean | Promise<boolean>
  /** Whether a host was looked up before, and was no issuer's then. */
  wasNoIssuersHost(host: string): boolean
}

export interface IssuerDocumentsParts {
  issuers: Issuers
  domains: Domains
  keys: IssuerKeys
  urls: IssuerUrls
  held: HeldDocuments
  /** Puts a time limit on the look at a host, which is some calls of the storage one after the other. */
  limitTime: <T>(work: Promise<T>) => Promise<T>
}

export function createIssuerDocuments(parts: IssuerDocumentsParts): IssuerDocuments {
  const { issuers, domains, keys, urls, held, limitTime } = parts

  async function documentsOf(issuerId: string, issuer: string): Promise<Documents | undefined> {
    if ((await issuers.ownerOf(issuerId)) === undefined) return undefined
    const published = (await keys.of(issuerId)).published()
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
    byPath: (issuerId) =>
      isIssuerId(issuerId) ? held.byPath(issuerId, () => documentsOf(issuerId, urls.byPath(issuerId))) : undefined,

    isIssuersHost(host) {
      if (urls.issuerOfHost(host) !== undefined) return true
      if (!isDomain(host)) return false
      return held.isIssuers(host, async () => (await limitTime(domains.issuerOf(host))) !== undefined)
    },

    wasNoIssuersHost: held.wasNoIssuers,

    byHost: (host) =>
      held.byHost(host, async () => {
        const issuerId = urls.issuerOfHost(host) ?? (await domains.issuerOf(host))
        return issuerId === undefined ? undefined : documentsOf(issuerId, urls.byHost(host))
      })
  }
}
