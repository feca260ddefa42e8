/** `grantd api-keys …`: the keys of an account, made, listed and revoked. */
import { type ApiKey, isOwnerName } from '../core/api-keys/api-key.js'
import type { ApiKeys } from '../core/api-keys/api-keys.js'

const DAY_MS = 86_400_000
const LONGEST_DAYS = 3_650
const LONGEST_LABEL = 255

export interface ApiKeyOptions {
  label?: string | undefined
  'expires-in-days'?: string | undefined
}

/** Carries out one command and answers with the lines to show. Throws with a sentence when it cannot. */
export async function runApiKeysCommand(
  keys: ApiKeys,
  command: string,
  [account, id]: readonly (string | undefined)[],
  options: ApiKeyOptions
): Promise<string[]> {
  if (account === undefined || !isOwnerName(account)) {
    throw new Error('an account is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end')
  }
  if (command === 'create') {
    const { text, key } = await keys.create(account, readOptions(options))
    return [text, `made for ${account} as ${key.id}, ${expiryOf(key)}. It is not shown again.`]
  }
  if (command === 'list') {
    const all = await keys.list(account)
    return all.length > 0 ? all.map(describe) : [`${account} has no keys`]
  }
  const revoked = id === undefined ? undefined : await keys.revoke(account, id)
  if (!revoked) throw new Error(`${account} has no key ${id ?? 'without an id'}`)
  return [describe(revoked)]
}

function readOptions({ label, 'expires-in-days': days }: ApiKeyOptions): { label?: string; expiresAtMs?: number } {
  if (label !== undefined && label.length > LONGEST_LABEL)
    throw new Error(`--label: at most ${LONGEST_LABEL} characters`)
  const isWhole = days === undefined || (/^[1-9]\d{0,3}$/.test(days) && Number(days) <= LONGEST_DAYS)
  if (!isWhole) throw new Error(`--expires-in-days: a whole number from 1 to ${LONGEST_DAYS}`)
  return {
    ...(label !== undefined && { label }),
    ...(days !== undefined && { expiresAtMs: Date.now() + Number(days) * DAY_MS })
  }
}

function describe(key: ApiKey): string {
  const state = key.revokedAtMs === undefined ? expiryOf(key) : `revoked ${iso(key.revokedAtMs)}`
  const used = key.lastUsedAtMs === undefined ? 'never used' : `last used ${iso(key.lastUsedAtMs)}`
  // A label is the operator's own text, but may come from somewhere else.
  const label = key.label === undefined ? '' : `  ${JSON.stringify(key.label)}`
  return `${key.id}  made ${iso(key.createdAtMs)}, ${used}, ${state}${label}`
}

const expiryOf = ({ expiresAtMs }: ApiKey) =>
  expiresAtMs === undefined ? 'does not expire' : `expires ${iso(expiresAtMs)}`
const iso = (ms: number) => new Date(ms).toISOString()
