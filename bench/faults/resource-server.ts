/** A confidential client that asks what tokens are worth, as a resource server does; it stands in OAUTH_CLIENTS_FILE. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../src/core/secrets/digest.js'

export const RESOURCE_SERVER = { id: 'resource-server', secret: 'only the load and the instances know this one' }

/** Writes the file and answers with where it is. */
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
