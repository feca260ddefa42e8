/** The confidential client of OAUTH_CLIENTS_FILE that introspects tokens, as a resource server does. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../src/core/secrets/digest.js'

export const RESOURCE_SERVER = { id: 'resource-server', secret: 'only the load and the instances know this one' }

/** Writes OAUTH_CLIENTS_FILE and returns its path. */
export async function writeOAuthClients(directory: string): Promise<string> {
  const file = join(directory, 'oauth-clients.json')
  const client = {
    client_id: RESOURCE_SERVER.id,
    client_secret_digests: [digestOf(RESOURCE_SERVER.secret)],
    grant_types: []
  }
  await writeFile(file, JSON.stringify({ clients: [client] }))
  return file
}
