/**
 * An authorization: what a user granted (the wire calls it an authorized client). It is there from the approval on, and waits
 * for its client to collect it. Its tokens are valid only while it is neither expired nor revoked.
 */
import { Type } from '@sinclair/typebox'
import type { ClientType } from '../clients/client.js'
import { readScope, writeScope } from '../clients/scope.js'
import { fieldsLike, numberOf, Text, TimeText } from '../records/readable.js'
import type { Condition, Fields } from '../records/record-store.js'

export interface Authorization {
  id: string
  userId: string
  /** The OAuth client it was given to. */
  clientId: string
  clientType: ClientType
  /** What the user approved. */
  scopes: readonly string[]
  /** The identifiers of the resources its tokens may be for, the first of them unless another is named; none: the issuer. */
  resources: readonly string[]
  name: string | undefined
  version: string | undefined
  /** The name its user gives it; initially the hostname. */
  label: string | undefined
  /** Address of the approver at the approval. */
  ipAtGrant: string
  createdAtMs: number
  /** While it awaits its collection, the time from which it cannot be collected any more. */
  expiresAtMs: number
  /** Whether it is approved, and neither collected nor revoked yet. */
  awaitsCollection: boolean
  /** Undefined if it was not collected, or by an instance of a version that did not note it. */
  collectedAtMs: number | undefined
  /** Undefined until it is collected. Written once a minute at most, so it may lag behind by that much. */
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
  /**
   * The longest life of an access token that it can have brought so far. Undefined until it is collected, and if an instance of a
   * version did that which did not note it.
   */
  tokenLifeMs: number | undefined
  /** Its place in the status lists (status-index.ts); undefined if there were none at its approval. */
  statusIndex?: number | undefined
}

const DAY_MS = 86_400_000
/** How long an authorization stays listed after it ended. */
export const KEEP_LISTED_MS = 90 * DAY_MS

/** No client's authorizations live longer (schemas/clients-file.ts). */
export const LONGEST_LIFE_MS = 366 * DAY_MS

/** How many authorizations of a user may be active at a time. */
export const MOST_ACTIVE = 500
/**
 * An authorization ends KEEP_LISTED_MS before its record does, so that the order of the records' lives is that of the list: those
 * that outlive this time are active, the others have ended, and of these the latest 200 are listed.
 */
export const ENDED = { withinMs: KEEP_LISTED_MS, most: 200 }
/**
 * A grant can be collected for half an hour at most (grants/state-machine.ts). For so long, and some more, a record is not trimmed: it may
 * be what says that its approval was revoked.
 */
export const SPARE_MS = 3_600_000

/** Met by the record of an authorization that awaits its collection. */
export const AWAITS_COLLECTION: Condition = { field: 'awaitsCollection', is: 'yes' }

/** Whether a refresh token may come with its tokens, as it does where its client can take one. */
export const isRefreshable = ({ scopes }: Pick<Authorization, 'scopes'>) => scopes.includes('offline_access')

/** Whether the authorization has ended: it is revoked, expired, or was not collected in time. */
export function hasEnded({ revokedAtMs, expiresAtMs }: Authorization, nowMs: number): boolean {
  return revokedAtMs !== undefined || !(expiresAtMs > nowMs)
}

/** How long it is listed, which is how long its record is kept. */
export function listedUntilMs({ revokedAtMs, expiresAtMs }: Authorization): number {
  return Math.min(expiresAtMs, revokedAtMs ?? expiresAtMs) + KEEP_LISTED_MS
}

/** The stored form: every value as a string; undefined values are left out. */
export function toFields(authorization: Authorization): Fields {
  const fields: Record<string, string> = {}
  const { id: _id, userId: _userId, scopes, resources, awaitsCollection, ...rest } = authorization
  if (scopes.length > 0) fields.scope = writeScope(scopes)
  // No identifier holds a space.
  if (resources.length > 0) fields.resources = resources.join(' ')
  if (awaitsCollection) fields[AWAITS_COLLECTION.field] = AWAITS_COLLECTION.is
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) fields[name] = String(value)
  return fields
}

const IndexText = Type.String({ pattern: '^\\d{1,15}$' })

/** What every version writes, and the times that are there. */
export const isAuthorization = fieldsLike(
  { clientType: Text, ipAtGrant: Text, createdAtMs: TimeText, expiresAtMs: TimeText },
  {
    collectedAtMs: TimeText,
    lastUsedAtMs: TimeText,
    revokedAtMs: TimeText,
    tokenLifeMs: TimeText,
    statusIndex: IndexText
  }
)

export function fromFields(userId: string, id: string, fields: Fields): Authorization {
  return {
    id,
    userId,
    clientId: fields.clientId ?? '',
    clientType: fields.clientType as ClientType,
    scopes: readScope(fields.scope) ?? [],
    resources: fields.resources?.split(' ') ?? [],
    name: fields.name,
    version: fields.version,
    label: fields.label,
    ipAtGrant: fields.ipAtGrant ?? '',
    createdAtMs: Number(fields.createdAtMs),
    expiresAtMs: Number(fields.expiresAtMs),
    awaitsCollection: fields[AWAITS_COLLECTION.field] === AWAITS_COLLECTION.is,
    collectedAtMs: numberOf(fields.collectedAtMs),
    lastUsedAtMs: numberOf(fields.lastUsedAtMs),
    revokedAtMs: numberOf(fields.revokedAtMs),
    tokenLifeMs: numberOf(fields.tokenLifeMs),
    statusIndex: numberOf(fields.statusIndex)
  }
}
