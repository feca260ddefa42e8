/**
 * The tokens of connections at rest: sealed under GRANTD_SECRET, with the user's and the connection's id as associated data.
 */
import type { Keyring } from '../secrets/keyring.js'
import type { Connection } from './connection.js'

export interface ConnectionTokens {
  accessToken: string
  refreshToken?: string
}

const PURPOSE = 'account tokens'
type Place = Pick<Connection, 'id' | 'userId'>

const recordOf = ({ id, userId }: Place) => JSON.stringify([userId, id])

export function sealTokens(keyring: Keyring, place: Place, { accessToken, refreshToken }: ConnectionTokens): string {
  return keyring.seal(PURPOSE, recordOf(place), JSON.stringify({ accessToken, refreshToken }))
}

/**
 * The opened tokens. Undefined if there are none, or if they do not open: tampered with, copied from another connection, or
 * sealed under a secret that this instance does not have.
 */
export function openTokens(keyring: Keyring, connection: Connection): ConnectionTokens | undefined {
  if (connection.sealedTokens === undefined) return undefined
  try {
    return JSON.parse(keyring.open(PURPOSE, recordOf(connection), connection.sealedTokens)) as ConnectionTokens
  } catch {
    return undefined
  }
}
