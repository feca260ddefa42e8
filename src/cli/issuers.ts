/** `grantd providers …`: the keys of issuers, which the wire calls providers. */
import type { IssuerKeys } from '../core/issuers/issuer-keys.js'
import type { Issuers } from '../core/issuers/issuers.js'

/** Makes the next signing key of an issuer, and answers with the line to show. Throws with a sentence when it cannot. */
export async function rotateIssuerKey(
  { issuers, issuerKeys }: { issuers: Issuers; issuerKeys: IssuerKeys },
  issuerId: string,
  isUrgent: boolean
): Promise<string[]> {
  if ((await issuers.ownerOf(issuerId)) === undefined) throw new Error(`there is no provider ${issuerId}`)
  const { kid, signsFromMs } = await issuerKeys.rotate(issuerId, isUrgent ? 'now' : 'published-ahead')
  return [`${kid} signs from ${new Date(signsFromMs).toISOString()}; instances learn of it within a minute`]
}
