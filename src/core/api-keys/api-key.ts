/**
 * An API key: what a back end proves itself with (RFC 6750). It belongs to an owner, a name of the operator's choosing
 * (the account of the wire). Its text is `uga_<owner>.<id>.<secret>`: it names its own record, of which the digest of the whole text is a part.
 */
import { randomBytes } from 'node:crypto'
import type { Fields } from '../records/record-store.js'

export interface ApiKey {
  owner: string
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

const OWNER = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const OWNER_NAME = new RegExp(`^${OWNER}$`)
const TEXT = new RegExp(`^uga_(${OWNER})\\.([A-Za-z0-9_-]{16})\\.[A-Za-z0-9_-]{43}$`)

export function isOwnerName(text: string): boolean {
  return OWNER_NAME.test(text)
}

/** A fresh key: 256 bits that nobody can guess, under an id of 96 that no other key has. */
export function newApiKeyText(owner: string): { id: string; text: string } {
  const id = randomBytes(12).toString('base64url')
  return { id, text: `uga_${owner}.${id}.${randomBytes(32).toString('base64url')}` }
}

/** Whether a text says of itself that it is a key, and so is no token of any other kind. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith('uga_')
}

/** Which record a text names, if it can be a key at all. Proves nothing. */
export function readApiKeyText(text: string): { owner: string; id: string } | undefined {
  const [, owner, id] = TEXT.exec(text) ?? []
  return owner === undefined || id === undefined ? undefined : { owner, id }
}

/** The stored form: strings, and nothing for what is undefined. */
export function toFields({ owner: _owner, id: _id, ...rest }: ApiKey): Fields {
  const known = Object.entries(rest).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]))
}

export function fromFields(owner: string, id: string, fields: Fields): ApiKey {
  const time = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return {
    owner,
    id,
    digest: fields.digest ?? '',
    label: fields.label,
    createdAtMs: Number(fields.createdAtMs),
    expiresAtMs: time(fields.expiresAtMs),
    lastUsedAtMs: time(fields.lastUsedAtMs),
    revokedAtMs: time(fields.revokedAtMs)
  }
}
