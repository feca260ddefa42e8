/** `grantd clients …`: makes the secret of an OAuth client. */
import { randomBytes } from 'node:crypto'
import { digestOf } from '../core/secrets/digest.js'

/** The lines to print: a new secret for the client, shown only here, and its digest for OAUTH_CLIENTS_FILE. */
export function newClientSecret(): string[] {
  const secret = randomBytes(32).toString('base64url')
  return [`client_secret          ${secret}`, `client_secret_digests  ["${digestOf(secret)}"]`]
}
