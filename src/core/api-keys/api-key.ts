/**
 * An API key: the bearer token (RFC 6750) with which a back end authenticates. It belongs to an owner, a name that the operator
 * chooses (the wire's account). Its text is `uga_<owner>.<id>.<secret>`: owner and id find the record, which holds a digest of
 * the whole text.
 */
import { randomBytes } from 'node:crypto'
import type { Ends } from '../epoch/ends.js'
import { fieldsLike, numberOf, Text, TimeText } from '../records/readable.js'
import type { Fields } from '../records/record-store.js'

/** What keys can be allowed, each by itself: `admin:write` does not include `admin:read`. In the order in which they are shown. */
export const API_KEY_RIGHTS = ['tokens', 'introspect', 'connected-accounts', 'admin:read', 'admin:write'] as const
export type ApiKeyRight = (typeof API_KEY_RIGHTS)[number]

/** Of a key that is made without saying. */
export const DEFAULT_RIGHTS: readonly ApiKeyRight[] = ['tokens']
/** Of a key whose record names none, since it was made before there were rights: what every key could do then. */
const RIGHTS_OF_OLD: readonly ApiKeyRight[] = ['tokens', 'introspect', 'connected-accounts']

export interface ApiKey {
  owner: string
  id: string
  digest: string
  label: string | undefined
  rights: readonly ApiKeyRight[]
  createdAtMs: number
  /** Undefined for a key that does not expire. */
  expiresAtMs: number | undefined
  /** Written once a minute at most, so it may lag behind by that much. */
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

const OWNER = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const OWNER_NAME = new RegExp(`^${OWNER}$`)
const TEXT = new RegExp(`^uga_(${OWNER})\\.([A-Za-z0-9_-]{16})\\.[A-Za-z0-9_-]{43}$`)

/** Whether a text can name an owner: 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end. */
export function isOwnerName(text: string): boolean {
  return OWNER_NAME.test(text)
}

/**
 * A new key: an id of 96 random bits, and a text that contains it and a secret of 256 random bits. No id begins with a hyphen, since it
 * would be taken for an option on a command line.
 */
export function newApiKeyText(owner: string): { id: string; text: string } {
  const id = randomBytes(12).toString('base64url')
  if (id.startsWith('-')) return newApiKeyText(owner)
  return { id, text: `uga_${owner}.${id}.${randomBytes(32).toString('base64url')}` }
}

/** Whether a bearer token claims to be an API key; no other kind of token begins like one. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith('uga_')
}

/** The owner and id in the text of a key; undefined if the text does not have the form of one. Verifies nothing. */
export function readApiKeyText(text: string): { owner: string; id: string } | undefined {
  const [, owner, id] = TEXT.exec(text) ?? []
  return owner === undefined || id === undefined ? undefined : { owner, id }
}

/** The rights as one text. */
export function writeRights(rights: readonly ApiKeyRight[]): string {
  return rights.join(',')
}

/** The rights in a text of names with commas between, each once and in their order; whatever else it names is `unknown`. */
export function readRights(text: string): { rights: ApiKeyRight[]; unknown: string[] } {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return {
    rights: API_KEY_RIGHTS.filter((right) => names.includes(right)),
    unknown: names.filter((name) => !API_KEY_RIGHTS.some((right) => right === name))
  }
}

/** The stored form: every value as a string; undefined values are left out. */
export function toFields({ owner: _owner, id: _id, rights, ...rest }: ApiKey): Fields {
  const known = Object.entries(rest).filter(([, value]) => value !== undefined)
  return Object.fromEntries([...known.map(([name, value]) => [name, String(value)]), ['rights', writeRights(rights)]])
}

/** All fields; every key has the first one. */
export const API_KEY_FIELDS: readonly string[] = [
  ...['digest', 'label', 'rights', 'createdAtMs', 'expiresAtMs', 'lastUsedAtMs', 'revokedAtMs']
]

export const isApiKey = fieldsLike(
  { digest: Text, createdAtMs: TimeText },
  { expiresAtMs: TimeText, lastUsedAtMs: TimeText, revokedAtMs: TimeText }
)

export function fromFields(owner: string, id: string, fields: Fields): ApiKey {
  return {
    owner,
    id,
    digest: fields.digest ?? '',
    label: fields.label,
    // A right that this version does not know, written by a later one, allows nothing here.
    rights: fields.rights === undefined ? RIGHTS_OF_OLD : readRights(fields.rights).rights,
    createdAtMs: Number(fields.createdAtMs),
    expiresAtMs: numberOf(fields.expiresAtMs),
    lastUsedAtMs: numberOf(fields.lastUsedAtMs),
    revokedAtMs: numberOf(fields.revokedAtMs)
  }
}

/** A key as an epoch leaves it: one that it has ended is revoked, whatever its record says. */
export function withinEpoch(key: ApiKey, { apiKeysBeforeMs, beganAtMs }: Ends): ApiKey {
  const isEnded = key.createdAtMs < apiKeysBeforeMs && key.revokedAtMs === undefined
  return isEnded ? { ...key, revokedAtMs: beganAtMs } : key
}

/** Whether a key is revoked or has expired. */
export function isOver({ revokedAtMs, expiresAtMs }: ApiKey, nowMs: number): boolean {
  return revokedAtMs !== undefined || (expiresAtMs !== undefined && expiresAtMs <= nowMs)
}
