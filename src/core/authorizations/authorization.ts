/** An authorization: what a collected grant leaves behind, and what its client JWT stands or falls with. */

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
  /** What its owner calls it; the hostname at first. */
  label: string | undefined
  /** Address of the approver at the approval. */
  ipAtGrant: string
  createdAtMs: number
  expiresAtMs: number
  /** At most a minute behind. */
  lastUsedAtMs: number | undefined
  revokedAtMs: number | undefined
}

/** Whether it may act no more. */
export function hasEnded({ revokedAtMs, expiresAtMs }: Authorization, nowMs: number): boolean {
  return revokedAtMs !== undefined || !(expiresAtMs > nowMs)
}

/** The stored form: strings, and nothing for what is undefined. */
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
