/** The operator's commands for keys and secrets: `grantd keys …`, `grantd providers rotate-key` and `grantd clients secret`. */
import { randomBytes } from 'node:crypto'
import { BY_OPERATOR } from '../core/audit/event.js'
import { isoTime } from '../core/clock.js'
import type { IssuerKeys } from '../core/issuers/issuer-keys.js'
import type { Issuers } from '../core/issuers/issuers.js'
import { digestOf } from '../core/secrets/digest.js'
import type { SigningKeys } from '../core/tokens/signing-keys.js'

/** Lists or rotates the service's own signing keys, and resolves to the lines to print. `isNow`: the new key signs at once. */
export async function runKeysCommand(
  keys: SigningKeys,
  command: string,
  isNow: boolean,
  inJson = false
): Promise<string[]> {
  if (command === 'rotate') await keys.rotate(isNow ? 'now' : 'published-ahead', BY_OPERATOR)
  const data = listed(keys)
  return inJson ? [JSON.stringify({ data })] : data.map(describe)
}

function listed(keys: SigningKeys) {
  const published = new Set(keys.published().map(({ kid }) => kid))
  const current = keys.current()?.kid
  return keys.list().map(({ kid, alg, signsFromMs }) => ({
    ...{ kid, alg, signs_from: isoTime(signsFromMs) },
    state: kid === current ? 'signs' : signsFromMs > Date.now() ? 'will_sign' : 'only_verifies',
    published: published.has(kid)
  }))
}

function describe({ kid, alg, signs_from, state, published }: ReturnType<typeof listed>[number]): string {
  return `${kid}  ${alg}  ${state.replace('_', ' ')}, from ${signs_from}${published ? '' : ', no longer published'}`
}

/** Makes the next signing key of an issuer, which the wire calls a provider, and answers with the line to show. Throws with a sentence when it cannot. */
export async function rotateIssuerKey(
  { issuers, issuerKeys }: { issuers: Issuers; issuerKeys: IssuerKeys },
  issuerId: string,
  isUrgent: boolean,
  inJson = false
): Promise<string[]> {
  if ((await issuers.ownerOf(issuerId)) === undefined) throw new Error(`there is no provider ${issuerId}`)
  const { kid, signsFromMs } = await issuerKeys.rotate(issuerId, isUrgent ? 'now' : 'published-ahead', BY_OPERATOR)
  const signsFrom = isoTime(signsFromMs)
  if (inJson) return [JSON.stringify({ provider_id: issuerId, kid, signs_from: signsFrom })]
  return [`${kid} signs from ${signsFrom}; instances learn of it within a minute`]
}

/** The lines to print: a new secret for the client, shown only here, and its digest for OAUTH_CLIENTS_FILE. */
export function newClientSecret(inJson: boolean): string[] {
  const secret = randomBytes(32).toString('base64url')
  const digests = [digestOf(secret)]
  if (inJson) return [JSON.stringify({ client_secret: secret, client_secret_digests: digests })]
  return [`client_secret          ${secret}`, `client_secret_digests  ${JSON.stringify(digests)}`]
}
