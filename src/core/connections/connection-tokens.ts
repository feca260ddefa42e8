/** The tokens of connected accounts at rest: sealed under GRANTD_SECRET, for the one connection they belong to. */
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

/** Undefined if there are none, or none that can be opened: changed, moved here from elsewhere, or under a secret that is gone. */
export function openTokens(keyring: Keyring, connection: Connection): ConnectionTokens | undefined {
  if (connection.sealedTokens === undefined) return undefined
  try {
    return JSON.parse(keyring.open(PURPOSE, recordOf(connection), connection.sealedTokens)) as ConnectionTokens
  } catch {
    return undefined
  }
}
