/**
 * Clients that are known by a URL, which is their id (draft-ietf-oauth-client-id-metadata-document). What such a client may do is
 * what a built-in one may, so that it is known by its id alone. Its document (client-documents.ts) is looked at when it begins to
 * ask for something, and only then: what a user has approved stays approved while the document cannot be reached.
 */
import { createBoundedCache } from '../records/bounded-cache.js'
import { type Client, GRANT_TYPES, isKnownByUrl, tagOf } from './client.js'
import type { ClientDocuments } from './client-documents.js'
import type { UrlClients } from './clients.js'

export interface UrlClientsParts {
  /** The hosts whose clients are allowed, as URLs have them, with a port that is not 443; `on` for any. */
  allowed: 'on' | readonly string[]
  /** The built-in client whose scopes, resources and lifetimes they have. */
  like: Client
  documents: ClientDocuments
}

const LONGEST_URL = 512
const MOST_REMEMBERED = 1_000

/**
 * The URL, if it is one that a client may have (§3 of the draft): https, a host name, a path, neither fragment nor credentials. It
 * is written as a browser would write it, so that there is one spelling of each.
 */
export function readClientUrl(clientId: string): URL | undefined {
  if (!isKnownByUrl(clientId) || clientId.length > LONGEST_URL || !URL.canParse(clientId)) return undefined
  const url = new URL(clientId)
  const isUsable =
    url.href === clientId && url.pathname !== '/' && !clientId.includes('#') && !url.username && !url.password
  // People recognize no address, and whoever has it next year is somebody else.
  const isAddress = /^\[|^[\d.]+$/.test(url.hostname)
  return isUsable && !isAddress ? url : undefined
}

export function createUrlClients({ allowed, like, documents }: UrlClientsParts): UrlClients {
  // Polls name the same few, and each would otherwise cost a digest.
  const remembered = createBoundedCache<Client>(MOST_REMEMBERED)

  return {
    find(clientId) {
      const known = remembered.get(clientId)
      if (known) return known
      const url = readClientUrl(clientId)
      if (!url || (allowed !== 'on' && !allowed.includes(url.host))) return undefined
      // Where it may be answered is said by its document, and not by the client that it is like.
      const client = { ...like, id: clientId, tag: tagOf(clientId), redirectUris: [] }
      remembered.set(clientId, client)
      return client
    },

    async describe(client, admit) {
      const { name, redirectUris, grantTypes: named } = await documents.of(client.id, admit)
      const grantTypes = GRANT_TYPES.filter((grantType) => named.includes(grantType))
      // Many ask for all that discovery has, whatever they could make of it.
      const ignoredScopes = grantTypes.includes('refresh_token') ? [] : ['offline_access']
      return { ...client, grantTypes, claimedName: name, redirectUris, ignoredScopes }
    }
  }
}
