/** `grantd clients …`: what an entry of OAUTH_CLIENTS_FILE needs. */
import { randomBytes } from 'node:crypto'
import { digestOf } from '../core/secrets/digest.js'

/** The secret is for the client and shown this once; the service is only ever given the digest. */
export function newClientSecret(): string[] {
  const secret = randomBytes(32).toString('base64url')
  return [`client_secret          ${secret}`, `client_secret_digests  ["${digestOf(secret)}"]`]
}
