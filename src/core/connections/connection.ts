/** A connected account: the tokens an upstream handed out for one of its users, kept sealed for one of ours. */
import type { Fields } from '../records/record-store.js'

/** `needs_reconnect`: the provider accepts the tokens no more; only the user can get new ones. */
export type ConnectionStatus = 'connected' | 'needs_reconnect'

export interface Connection {
  id: string
  userId: string
  upstreamId: string
  subject: string
  username: string
  /** Those the access token was issued with, as far as the provider told. */
  scopes: readonly string[]
  connectedAtMs: number
  /** End of the access token; undefined for one whose end is not known. */
  expiresAtMs: number | undefined
  status: ConnectionStatus
  /** Counts the changes of the tokens. Whoever changes them does so on the condition that it is still the one they saw. */
  version: number
  sealedTokens: string | undefined
}

/** The stored form: strings, and nothing for what is undefined. */
export function toFields({ id: _id, userId: _userId, upstreamId: providerId, scopes, ...rest }: Connection): Fields {
  const fields: Record<string, string> = { scopes: JSON.stringify(scopes), providerId }
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) fields[name] = String(value)
  return fields
}

export function fromFields(userId: string, id: string, fields: Fields): Connection {
  return {
    id,
    userId,
    upstreamId: fields.providerId ?? '',
    subject: fields.subject ?? '',
    username: fields.username ?? '',
    scopes: JSON.parse(fields.scopes ?? '[]') as string[],
    connectedAtMs: Number(fields.connectedAtMs),
    expiresAtMs: fields.expiresAtMs === undefined ? undefined : Number(fields.expiresAtMs),
    status: fields.status === 'connected' ? 'connected' : 'needs_reconnect',
    version: Number(fields.version),
    sealedTokens: fields.sealedTokens
  }
}
