/**
 * The public documents of issuers: discovery metadata and key sets, by path and by host. They are cached as text for a
 * second (held-documents.ts), so that they cost no more than a static answer. Every instance sees a deletion within
 * that time.
 */

import type { Domains } from './domains.js'
import type { Documents, HeldDocuments } from './held-documents.js'
import type { IssuerKeys } from './issuer-keys.js'
import { type IssuerUrls, isIssuerId } from './issuer-urls.js'
import type { Issuers } from './issuers.js'

export interface IssuerDocuments {
  byPath(issuerId: string): Promise<Documents | undefined>
  /** Finds an issuer by its host under the base domain, or by a verified custom domain. */
  byHost(host: string): Promise<Documents | undefined>
}

export interface IssuerDocumentsParts {
  issuers: Issuers
  domains: Domains
  keys: IssuerKeys
  urls: IssuerUrls
  held: HeldDocuments
}

export function createIssuerDocuments({ issuers, domains, keys, urls, held }: IssuerDocumentsParts): IssuerDocuments {
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
      isIssuerId(issuerId)
        ? held.byPath(issuerId, () => documentsOf(issuerId, urls.byPath(issuerId)))
        : Promise.resolve(undefined),

    byHost: (host) =>
      held.byHost(host, async () => {
        const issuerId = urls.issuerOfHost(host) ?? (await domains.issuerOf(host))
        return issuerId === undefined ? undefined : documentsOf(issuerId, urls.byHost(host))
      })
  }
}
