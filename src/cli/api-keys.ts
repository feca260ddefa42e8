/** `grantd api-keys …`: creates, lists and revokes the API keys of an owner, which the command line calls ACCOUNT. */
import { type ApiKey, isOwnerName } from '../core/api-keys/api-key.js'
import type { ApiKeys } from '../core/api-keys/api-keys.js'

const DAY_MS = 86_400_000
const LONGEST_DAYS = 3_650
const LONGEST_LABEL = 255

export interface ApiKeyOptions {
  label?: string | undefined
  'expires-in-days'?: string | undefined
}

/** Runs one command and resolves to the lines to print. Rejects with an Error whose message is meant for the operator. */
export async function runApiKeysCommand(
  keys: ApiKeys,
  command: string,
  [owner, id]: readonly (string | undefined)[],
  options: ApiKeyOptions
): Promise<string[]> {
  if (owner === undefined || !isOwnerName(owner)) {
    throw new Error('an account is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end')
  }
  if (command === 'create') {
    const { text, key } = await keys.create(owner, readOptions(options))
    return [text, `made for ${owner} as ${key.id}, ${expiryOf(key)}. It is not shown again.`]
  }
  if (command === 'list') {
    const all = await keys.list(owner)
    return all.length > 0 ? all.map(describe) : [`${owner} has no keys`]
  }
  const revoked = id === undefined ? undefined : await keys.revoke(owner, id)
  if (!revoked) throw new Error(`${owner} has no key ${id ?? 'without an id'}`)
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
  // JSON.stringify escapes control characters such as ESC, with which a label could write escape sequences to the terminal.
  const label = key.label === undefined ? '' : `  ${JSON.stringify(key.label)}`
  return `${key.id}  made ${iso(key.createdAtMs)}, ${used}, ${state}${label}`
}

const expiryOf = ({ expiresAtMs }: ApiKey) =>
  expiresAtMs === undefined ? 'does not expire' : `expires ${iso(expiresAtMs)}`
const iso = (ms: number) => new Date(ms).toISOString()
