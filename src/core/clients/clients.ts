/** Finds clients by their id, and proves who they are. What a client is, is in client.ts. */
import { digestOf, isSame } from '../secrets/digest.js'
import { BUILT_IN_TAG, type Client, isBuiltIn, isKnownByUrl, isPublic, URL_TAG } from './client.js'

/** A client as it describes itself: with the grant types and redirect URIs of its document, and the name that it claims. */
export interface DescribedClient extends Client {
  readonly claimedName: string | undefined
  readonly redirectUris: readonly string[]
  /** What is dropped from the scopes it asks for, without a word (OpenID Connect Core 1.0 §11). */
  readonly ignoredScopes: readonly string[]
}

export interface UrlClients {
  /** The client with this id, without a look at its document. Undefined for a URL that can be no id, or is not allowed here. */
  find(clientId: string): Client | undefined
  /** The same client by its document, as `Clients.describe`. */
  describe(client: Client, admit: () => Promise<void>): Promise<DescribedClient>
}

export interface Clients {
  find(clientId: string): Client | undefined
  /**
   * The same client as it describes itself, if it is known by a URL; any other as it is. This is the one place where a client may
   * have to be fetched. `admit` is asked before that. Rejects with `invalid_client`, `unavailable` or `overloaded`.
   */
  describe(client: Client, admit: () => Promise<void>): Promise<Client | DescribedClient>
  /**
   * The client with this id and secret (RFC 6749 §2.3); undefined if they do not match. A public client has no secret, so
   * presenting one for it fails.
   */
  authenticate(clientId: string, secret: string | undefined): Client | undefined
  list(): readonly Client[]
  /** What the tags of all public clients begin with. */
  publicTags(): ReadonlySet<string>
}

/** Without `byUrl`, no client is known by a URL. */
export function createClients(clients: readonly Client[], byUrl?: UrlClients): Clients {
  const byId = new Map(clients.map((client) => [client.id, client]))
  const find = (clientId: string) => byId.get(clientId) ?? byUrl?.find(clientId)

  return {
    find,

    async describe(client, admit) {
      return byUrl && isKnownByUrl(client.id) ? byUrl.describe(client, admit) : client
    },

    authenticate(clientId, secret) {
      const client = find(clientId)
      if (!client) return undefined
      if (isPublic(client)) return secret === undefined ? client : undefined
      if (secret === undefined) return undefined
      const digest = digestOf(secret)
      return client.secretDigests.some((one) => isSame(one, digest)) ? client : undefined
    },

    list: () => clients,

    publicTags() {
      const tags = clients.filter(isPublic).map(({ id, tag }) => (isBuiltIn(id) ? BUILT_IN_TAG : tag))
      return new Set(byUrl ? [...tags, URL_TAG] : tags)
    }
  }
}
