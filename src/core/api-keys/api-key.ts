/**
 * An API key: what a back end proves itself with (RFC 6750). It belongs to an account, a name of the operator's choosing.
 * Its text is `uga_<account>.<id>.<secret>`: it names its own record, of which the digest of the whole text is a part.
 */
import { randomBytes } from 'node:crypto'
import type { Fields } from '../records/record-store.js'

export interface ApiKey {
  account: string
  id: string
  digest: string
  label: string | undefined
  createdAtMs: number
  /** Undefined for a key that does not expire. */
  expiresAtMs: number | undefined
  /** At most a minute behind. */
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

const ACCOUNT = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const ACCOUNT_NAME = new RegExp(`^${ACCOUNT}$`)
const TEXT = new RegExp(`^uga_(${ACCOUNT})\\.([A-Za-z0-9_-]{16})\\.[A-Za-z0-9_-]{43}$`)

export function isAccountName(text: string): boolean {
  return ACCOUNT_NAME.test(text)
}

/** A fresh key: 256 bits that nobody can guess, under an id of 96 that no other key has. */
export function newApiKeyText(account: string): { id: string; text: string } {
  const id = randomBytes(12).toString('base64url')
  return { id, text: `uga_${account}.${id}.${randomBytes(32).toString('base64url')}` }
}

/** Whether a text says of itself that it is a key, and so is no token of any other kind. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith('uga_')
}

/** Which record a text names, if it can be a key at all. Proves nothing. */
export function readApiKeyText(text: string): { account: string; id: string } | undefined {
  const [, account, id] = TEXT.exec(text) ?? []
  return account === undefined || id === undefined ? undefined : { account, id }
}

/** The stored form: strings, and nothing for what is undefined. */
export function toFields({ account: _account, id: _id, ...rest }: ApiKey): Fields {
  const known = Object.entries(rest).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]))
}

export function fromFields(account: string, id: string, fields: Fields): ApiKey {
  const time = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return {
    account,
    id,
    digest: fields.digest ?? '',
    label: fields.label,
    createdAtMs: Number(fields.createdAtMs),
    expiresAtMs: time(fields.expiresAtMs),
    lastUsedAtMs: time(fields.lastUsedAtMs),
    revokedAtMs: time(fields.revokedAtMs)
  }
}
