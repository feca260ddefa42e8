/** All OAuth clients, and their authentication. Both come from the configuration; nothing here calls the storage. */
import { digestOf, isSame } from '../secrets/digest.js'
import { type Client, isPublic } from './client.js'

export interface Clients {
  find(clientId: string): Client | undefined
  /**
   * The client with this id and secret (RFC 6749 §2.3); undefined if they do not match. A public client has no secret, so
   * presenting one for it fails.
   */
  authenticate(clientId: string, secret: string | undefined): Client | undefined
  list(): readonly Client[]
}

export function createClients(clients: readonly Client[]): Clients {
  const byId = new Map(clients.map((client) => [client.id, client]))

  return {
    find: (clientId) => byId.get(clientId),

    authenticate(clientId, secret) {
      const client = byId.get(clientId)
      if (!client) return undefined
      if (isPublic(client)) return secret === undefined ? client : undefined
      if (secret === undefined) return undefined
      const digest = digestOf(secret)
      return client.secretDigests.some((one) => isSame(one, digest)) ? client : undefined
    },

    list: () => clients
  }
}
