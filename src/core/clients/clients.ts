/** Every OAuth client there is, and whether somebody is one of them. Configuration alone: nothing here asks a store. */
import { digestOf, isSame } from '../secrets/digest.js'
import { type Client, isPublic } from './client.js'

export interface Clients {
  find(clientId: string): Client | undefined
  /**
   * The client that id and secret prove (RFC 6749 §2.3), or undefined. A public client proves itself by having no secret:
   * whoever brings one for it is wrong.
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
