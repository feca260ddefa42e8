/** `grantd api-keys …`: creates, lists, changes and revokes the API keys of an owner, which the command line calls ACCOUNT. */
import {
  API_KEY_RIGHTS,
  type ApiKey,
  type ApiKeyRight,
  isOwnerName,
  readRights,
  writeRights
} from '../core/api-keys/api-key.js'
import type { ApiKeys, NewApiKey } from '../core/api-keys/api-keys.js'
import { BY_OPERATOR } from '../core/audit/event.js'
import { isoTime, isoTimeOrNull } from '../core/clock.js'

const DAY_MS = 86_400_000
const LONGEST_DAYS = 3_650
const LONGEST_LABEL = 255

export interface ApiKeyOptions {
  label?: string | undefined
  rights?: string | undefined
  'expires-in-days'?: string | undefined
  json?: boolean | undefined
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
    const { text, key } = await keys.create(owner, readOptions(options), BY_OPERATOR)
    if (options.json) return [JSON.stringify({ ...toJson(key), key: text })]
    return [text, `made for ${owner} as ${key.id}, ${rightsOf(key)}, ${expiryOf(key)}. It is not shown again.`]
  }
  if (command === 'list') {
    const all = await keys.list(owner)
    if (options.json) return [JSON.stringify({ data: all.map(toJson) })]
    return all.length > 0 ? all.map(describe) : [`${owner} has no keys`]
  }
  const key = id === undefined ? undefined : await change(keys, command, owner, id, options)
  if (!key) throw new Error(`${owner} has no key ${id ?? 'without an id'}`)
  return [options.json ? JSON.stringify(toJson(key)) : describe(key)]
}

function change(keys: ApiKeys, command: string, owner: string, id: string, options: ApiKeyOptions) {
  if (command === 'revoke') return keys.revoke(owner, id, BY_OPERATOR)
  if (options.rights === undefined) throw new Error('say what the key may do from now on: --rights introspect,tokens')
  return keys.setRights(owner, id, readRightsOption(options.rights), BY_OPERATOR)
}

function readOptions({ label, rights, 'expires-in-days': days }: ApiKeyOptions): NewApiKey {
  if (label !== undefined && label.length > LONGEST_LABEL)
    throw new Error(`--label: at most ${LONGEST_LABEL} characters`)
  const isWhole = days === undefined || (/^[1-9]\d{0,3}$/.test(days) && Number(days) <= LONGEST_DAYS)
  if (!isWhole) throw new Error(`--expires-in-days: a whole number from 1 to ${LONGEST_DAYS}`)
  return {
    ...(label !== undefined && { label }),
    ...(rights !== undefined && { rights: readRightsOption(rights) }),
    ...(days !== undefined && { expiresInMs: Number(days) * DAY_MS })
  }
}

function readRightsOption(text: string): ApiKeyRight[] {
  const { rights, unknown } = readRights(text)
  if (unknown.length === 0 && rights.length > 0) return rights
  const wrong = unknown.length > 0 ? `there is no right ${JSON.stringify(unknown[0])}` : 'name at least one'
  throw new Error(`--rights: ${wrong}; there are ${API_KEY_RIGHTS.join(', ')}`)
}

/** A key without what it is proved by. */
function toJson({ id, owner, rights, label, createdAtMs, expiresAtMs, lastUsedAtMs, revokedAtMs }: ApiKey) {
  return {
    ...{ id, account: owner, rights, label: label ?? null, created_at: isoTime(createdAtMs) },
    ...{ expires_at: isoTimeOrNull(expiresAtMs), last_used_at: isoTimeOrNull(lastUsedAtMs) },
    revoked_at: isoTimeOrNull(revokedAtMs)
  }
}

function describe(key: ApiKey): string {
  const state = key.revokedAtMs === undefined ? expiryOf(key) : `revoked ${isoTime(key.revokedAtMs)}`
  const used = key.lastUsedAtMs === undefined ? 'never used' : `last used ${isoTime(key.lastUsedAtMs)}`
  // JSON.stringify escapes control characters such as ESC, with which a label could write escape sequences to the terminal.
  const label = key.label === undefined ? '' : `  ${JSON.stringify(key.label)}`
  return `${key.id}  made ${isoTime(key.createdAtMs)}, ${used}, ${state}, ${rightsOf(key)}${label}`
}

const rightsOf = ({ rights }: ApiKey) => `rights ${rights.length > 0 ? writeRights(rights) : 'none'}`

const expiryOf = ({ expiresAtMs }: ApiKey) =>
  expiresAtMs === undefined ? 'does not expire' : `expires ${isoTime(expiresAtMs)}`
