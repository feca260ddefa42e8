/** A connection: an account that a user connected at an upstream, with the upstream's tokens, sealed. The wire says account. */
import type { Fields } from '../records/record-store.js'

/** `needs_reconnect`: the upstream refused the refresh token, so the user has to connect the account again. */
export type ConnectionStatus = 'connected' | 'needs_reconnect'

export interface Connection {
  id: string
  userId: string
  upstreamId: string
  subject: string
  username: string
  /** The scopes of the access token; empty if the upstream named none. */
  scopes: readonly string[]
  /** When the account was first connected. */
  connectedAtMs: number
  /** The expiry of the access token; undefined if the upstream named none. */
  expiresAtMs: number | undefined
  status: ConnectionStatus
  /** Incremented with every new set of tokens; writes of tokens are a compare-and-set on it. */
  version: number
  sealedTokens: string | undefined
}

/** The stored form: every value as a string; undefined values are left out. */
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
