/** The API keys of owners: created (the text is shown only then), listed, given rights, revoked, and authenticated. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import { type Fields, FOR_EVER_MS, isWorthNoting, type RecordStore } from '../records/record-store.js'
import { digestOf, isSame } from '../secrets/digest.js'
import {
  type ApiKey,
  type ApiKeyRight,
  DEFAULT_RIGHTS,
  fromFields,
  isApiKey,
  isOver,
  newApiKeyText,
  readApiKeyText,
  toFields,
  withinEpoch,
  writeRights
} from './api-key.js'
import { keyWithRights, namedKey } from './api-key-detail.js'

const DAY_MS = 86_400_000
/** Caps the keys that this instance remembers. One that is forgotten costs a call more. */
const MOST_REMEMBERED = 10_000
/** How long a key stays listed after it expired or was revoked. */
const KEEP_LISTED_MS = 90 * DAY_MS

export interface NewApiKey {
  label?: string
  /** `tokens` alone, unless it says otherwise. */
  rights?: readonly ApiKeyRight[]
  /** From its creation on. */
  expiresInMs?: number
}

export interface ApiKeys {
  /** Creates a key. The returned text is not stored. */
  create(owner: string, options: NewApiKey, by: Origin): Promise<{ text: string; key: ApiKey }>
  /** The keys of an owner, newest first, including those that expired or were revoked within the last 90 days. */
  list(owner: string): Promise<ApiKey[]>
  /** Gives a key these rights in place of those it had, from the next request on. Undefined if the owner has no such key. */
  setRights(owner: string, id: string, rights: readonly ApiKeyRight[], by: Origin): Promise<ApiKey | undefined>
  /** Revokes for good. Idempotent. Resolves to undefined if the owner has no such key. */
  revoke(owner: string, id: string, by: Origin): Promise<ApiKey | undefined>
  /**
   * The key with this text, used for what the right allows; undefined if it is unknown, expired or revoked. Records its use.
   * Rejects with `forbidden` if the key does not have the right, and with `unavailable`. `read` reads its record with whatever else
   * a request needs.
   */
  use(text: string, right: ApiKeyRight, read?: ReadKey): Promise<ApiKey | undefined>
}

/**
 * Reads the record of a key. `isProven`: who sent the text has its secret, since this instance has accepted it before. Whether the
 * key is still good is in the record alone.
 */
export type ReadKey = (owner: string, id: string, isProven: boolean) => Promise<Fields | undefined>

export interface ApiKeysParts {
  records: RecordStore
  epoch: Pick<Epoch, 'ends'>
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
}

export function createApiKeys({ records, epoch, clock, audit }: ApiKeysParts): ApiKeys {
  /** The digests of the keys that were accepted, by their ids. */
  const accepted = createBoundedCache<string>(MOST_REMEMBERED)

  return {
    async create(owner, { label, rights = DEFAULT_RIGHTS, expiresInMs }, by) {
      const { id, text } = newApiKeyText(owner)
      const createdAtMs = clock()
      const expiresAtMs = expiresInMs === undefined ? undefined : createdAtMs + expiresInMs
      const times = { createdAtMs, expiresAtMs, lastUsedAtMs: undefined, revokedAtMs: undefined }
      const key: ApiKey = { owner, id, digest: digestOf(text), label, rights, ...times }
      const keepUntilMs = expiresAtMs === undefined ? createdAtMs + FOR_EVER_MS : expiresAtMs + KEEP_LISTED_MS
      await records.create(owner, id, toFields(key), keepUntilMs)
      await audit.tell({ type: 'api_key.created', ...by, detail: keyWithRights(key) })
      return { text, key }
    },

    async list(owner) {
      const [kept, ends] = await Promise.all([records.list(owner), epoch.ends()])
      const keys = [...kept].map(([id, fields]) => withinEpoch(fromFields(owner, id, fields), ends))
      return keys.sort((a, b) => b.createdAtMs - a.createdAtMs)
    },

    async setRights(owner, id, rights, by) {
      const fields = await records.change(owner, id, { set: { rights: writeRights(rights) } })
      const key = fields && fromFields(owner, id, fields)
      if (key) await audit.tell({ type: 'api_key.changed', ...by, detail: keyWithRights(key) })
      return key
    },

    async revoke(owner, id, by) {
      const nowMs = clock()
      const setOnce = { revokedAtMs: String(nowMs) }
      const fields = await records.change(owner, id, { setOnce, keepAtMostUntilMs: nowMs + KEEP_LISTED_MS })
      if (fields) await audit.tell({ type: 'api_key.revoked', ...by, detail: namedKey({ owner, id }) })
      return fields && fromFields(owner, id, fields)
    },

    async use(text, right, read = records.get) {
      const named = readApiKeyText(text)
      if (!named) return undefined
      const { owner, id } = named
      const [digest, known] = [digestOf(text), accepted.get(id)]
      const isProven = known !== undefined && isSame(known, digest)
      // Both are asked for in one turn, so that the second costs no further round trip.
      const [fields, ends] = await Promise.all([read(owner, id, isProven), epoch.ends()])
      if (fields && !isApiKey(fields)) throw records.unreadable()
      const key = fields && withinEpoch(fromFields(owner, id, fields), ends)
      const nowMs = clock()
      if (!key || isOver(key, nowMs) || !isSame(key.digest, digest)) {
        if (isProven) accepted.delete(id)
        return undefined
      }
      if (!isProven) accepted.set(id, digest)
      if (!key.rights.includes(right)) throw fault('forbidden', { detail: `an API key without the right ${right}` })
      if (isWorthNoting(key.lastUsedAtMs, nowMs)) {
        await records.note(key.owner, key.id, { set: { lastUsedAtMs: String(nowMs) } })
      }
      return key
    }
  }
}
