/** The tokens of connected accounts at rest: sealed under GRANTD_SECRET, for the one account they belong to. */
import type { Keyring } from '../secrets/keyring.js'
import type { ConnectedAccount } from './connection.js'

export interface AccountTokens {
  accessToken: string
  refreshToken?: string
}

const PURPOSE = 'account tokens'
type Place = Pick<ConnectedAccount, 'id' | 'userId'>

const recordOf = ({ id, userId }: Place) => JSON.stringify([userId, id])

export function sealTokens(keyring: Keyring, place: Place, { accessToken, refreshToken }: AccountTokens): string {
  return keyring.seal(PURPOSE, recordOf(place), JSON.stringify({ accessToken, refreshToken }))
}

/** Undefined if there are none, or none that can be opened: changed, moved here from elsewhere, or under a secret that is gone. */
export function openTokens(keyring: Keyring, account: ConnectedAccount): AccountTokens | undefined {
  if (account.sealedTokens === undefined) return undefined
  try {
    return JSON.parse(keyring.open(PURPOSE, recordOf(account), account.sealedTokens)) as AccountTokens
  } catch {
    return undefined
  }
}
