/** Protected resource metadata (RFC 9728): how a client finds out where to get a token for this API. */

/** The members of RFC 9728 §2 that matter to clients; others may be added. */
export interface ResourceMetadata {
  /** The API's own identifier: an https URL without a fragment. */
  resource: string
  authorization_servers?: readonly string[]
  scopes_supported?: readonly string[]
  bearer_methods_supported?: readonly string[]
  resource_name?: string
  resource_documentation?: string
  [member: string]: unknown
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/**
 * The address of the metadata of a resource: the well-known path is put between host and path (RFC 9728 §3.1). Throws a TypeError if
 * the identifier is no http(s) URL, or has a fragment.
 */
export function resourceMetadataUrl(resource: string): string {
  const url = URL.canParse(resource) ? new URL(resource) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || resource.includes('#')) {
    throw new TypeError(`a resource is an https URL without a fragment, and ${resource} is none`)
  }
  const path = url.pathname === '/' ? '' : url.pathname
  return `${url.origin}${WELL_KNOWN}${path}${url.search}`
}

/** The document that is served there. */
export function resourceMetadata(issuer: string, metadata: ResourceMetadata): ResourceMetadata {
  return { authorization_servers: [issuer], bearer_methods_supported: ['header'], ...metadata }
}

/** The headers of the document. Pages of other origins may read it: it holds nothing that is not for everybody. */
export const METADATA_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'public, max-age=300',
  'access-control-allow-origin': '*'
} as const
