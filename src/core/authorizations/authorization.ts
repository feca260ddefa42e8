/**
 * An authorization: what an approved grant becomes when it is collected (the wire calls it an authorized client). Its tokens
 * are valid only while it is neither expired nor revoked.
 */
import type { ClientType } from '../clients/client.js'
import { readScope, writeScope } from '../clients/scope.js'
import type { Fields } from '../records/record-store.js'

export interface Authorization {
  id: string
  userId: string
  /** The OAuth client it was given to. */
  clientId: string
  clientType: ClientType
  /** What the user approved. */
  scopes: readonly string[]
  name: string | undefined
  version: string | undefined
  /** The name its user gives it; initially the hostname. */
  label: string | undefined
  /** Address of the approver at the approval. */
  ipAtGrant: string
  createdAtMs: number
  expiresAtMs: number
  /** Written once a minute at most, so it may lag behind by that much. */
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Whether the authorization has ended: it is revoked or expired. */
export function hasEnded({ revokedAtMs, expiresAtMs }: Authorization, nowMs: number): boolean {
  return revokedAtMs !== undefined || !(expiresAtMs > nowMs)
}

/** The stored form: every value as a string; undefined values are left out. */
export function toFields(authorization: Authorization): Fields {
  const fields: Record<string, string> = {}
  const { id: _id, userId: _userId, scopes, ...rest } = authorization
  if (scopes.length > 0) fields.scope = writeScope(scopes)
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) fields[name] = String(value)
  return fields
}

export function fromFields(userId: string, id: string, fields: Fields): Authorization {
  const time = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return {
    id,
    userId,
    clientId: fields.clientId ?? '',
    clientType: fields.clientType as ClientType,
    scopes: readScope(fields.scope) ?? [],
    name: fields.name,
    version: fields.version,
    label: fields.label,
    ipAtGrant: fields.ipAtGrant ?? '',
    createdAtMs: Number(fields.createdAtMs),
    expiresAtMs: Number(fields.expiresAtMs),
    lastUsedAtMs: time(fields.lastUsedAtMs),
    revokedAtMs: time(fields.revokedAtMs)
  }
}
