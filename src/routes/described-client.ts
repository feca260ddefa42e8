/** Clients as they describe themselves, where somebody begins to ask for something. */
import type { FastifyRequest } from 'fastify'
import type { Client } from '../core/clients/client.js'
import type { DescribedClient } from '../core/clients/clients.js'
import { isFault } from '../core/fault.js'
import type { App } from './app.js'

/**
 * The client, by its document if it is known by a URL. The fetches that an address causes are counted. Rejects with
 * `invalid_client`, `unavailable`, `overloaded` or `too_many_requests`.
 */
export type Describe = (request: FastifyRequest, client: Client) => Promise<Client | DescribedClient>

export function createDescribe(app: App): Describe {
  const limitFetches = app.limits.perAddress('client-metadata')
  return (request, client) =>
    app.core.clients.describe(client, () => app.withinTimeLimit(request, limitFetches(request)))
}

/** The same, undefined for a client whose document cannot be used. */
export async function describedOrNone(
  describe: Describe,
  request: FastifyRequest,
  client: Client | undefined
): Promise<Client | DescribedClient | undefined> {
  try {
    return client && (await describe(request, client))
  } catch (error) {
    if (!isFault(error) || error.code !== 'invalid_client') throw error
    // Whoever made the link is not told, for it may be about a host that they cannot reach themselves.
    request.log.info({ detail: error.detail }, 'the document of a client cannot be used')
    return undefined
  }
}
