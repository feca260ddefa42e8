/** `grantd providers …`: the keys of providers of the tokens API. */
import type { ProviderKeys } from '../core/issuers/issuer-keys.js'
import type { Providers } from '../core/issuers/issuers.js'

/** Makes the next signing key of a provider, and answers with the line to show. Throws with a sentence when it cannot. */
export async function rotateProviderKey(
  { providers, providerKeys }: { providers: Providers; providerKeys: ProviderKeys },
  providerId: string,
  isUrgent: boolean
): Promise<string[]> {
  if ((await providers.accountOf(providerId)) === undefined) throw new Error(`there is no provider ${providerId}`)
  const { kid, signsFromMs } = await providerKeys.rotate(providerId, isUrgent ? 'now' : 'published-ahead')
  return [`${kid} signs from ${new Date(signsFromMs).toISOString()}; instances learn of it within a minute`]
}
