/**
 * A connection: an account that a user connected at an upstream. The wire says account. Its tokens are sealed under GRANTD_SECRET,
 * with the user's and the connection's id as associated data.
 */
import { Type } from '@sinclair/typebox'
import { fieldsLike, type IsReadable, jsonOf, NumberText, numberOf, Text, TimeText } from '../records/readable.js'
import type { Fields } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { Upstream, UpstreamIdentity, UpstreamTokens } from '../upstream/upstream.js'

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
  /** The life of its access tokens as the upstream last named it; undefined if it never has. */
  lifeSeconds: number | undefined
  /** When the tokens were stored; undefined for those stored by versions that did not note it. */
  issuedAtMs: number | undefined
  /** When a back end last said that the upstream refuses the access token, and no other could be had. */
  refusedAtMs: number | undefined
  status: ConnectionStatus
  /** Incremented with every new set of tokens; writes of tokens are a compare-and-set on it. */
  version: number
  sealedTokens: string | undefined
}

export interface NewConnection {
  upstreamId: string
  identity: UpstreamIdentity
  tokens: UpstreamTokens
}

/** The stored form: every value as a string; undefined values are left out. */
export function toFields({ id: _id, userId: _userId, upstreamId: providerId, scopes, ...rest }: Connection): Fields {
  const fields: Record<string, string> = { scopes: JSON.stringify(scopes), providerId }
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) fields[name] = String(value)
  return fields
}

const hasFields = fieldsLike(
  { providerId: Text, subject: Text, connectedAtMs: TimeText, version: NumberText },
  { expiresAtMs: TimeText, issuedAtMs: TimeText, refusedAtMs: TimeText, lifeSeconds: NumberText }
)
const listOfTexts = jsonOf(Type.Array(Text))

export const isConnection: IsReadable = (fields) => hasFields(fields) && !!listOfTexts(fields.scopes ?? '[]')

export function fromFields(userId: string, id: string, fields: Fields): Connection {
  return {
    id,
    userId,
    upstreamId: fields.providerId ?? '',
    subject: fields.subject ?? '',
    username: fields.username ?? '',
    scopes: JSON.parse(fields.scopes ?? '[]') as string[],
    connectedAtMs: Number(fields.connectedAtMs),
    expiresAtMs: numberOf(fields.expiresAtMs),
    lifeSeconds: numberOf(fields.lifeSeconds),
    issuedAtMs: numberOf(fields.issuedAtMs),
    refusedAtMs: numberOf(fields.refusedAtMs),
    status: fields.status === 'connected' ? 'connected' : 'needs_reconnect',
    version: Number(fields.version),
    sealedTokens: fields.sealedTokens
  }
}

/**
 * When new tokens expire, and the life to remember for answers that name none. Such an answer keeps the life that the upstream
 * last named, and where it never has, the one that the operator says.
 */
export function lifeOf(
  { lifeSeconds, expiresAtMs }: UpstreamTokens,
  known: number | undefined,
  upstream: Upstream | undefined,
  nowMs: number
): Pick<Connection, 'expiresAtMs' | 'lifeSeconds'> {
  if (lifeSeconds !== undefined || expiresAtMs !== undefined) {
    // A token that ends at once says nothing about the next one, nor does one without end.
    const isTelling = lifeSeconds !== undefined && lifeSeconds > 0 && Number.isFinite(lifeSeconds)
    return { expiresAtMs, lifeSeconds: isTelling ? lifeSeconds : known }
  }
  const seconds = known ?? upstream?.accessTokenTtlSeconds
  return { expiresAtMs: seconds === undefined ? undefined : nowMs + seconds * 1000, lifeSeconds: known }
}

export interface ConnectionTokens {
  accessToken: string
  refreshToken?: string
}

const PURPOSE = 'account tokens'
type Place = Pick<Connection, 'id' | 'userId'>

const recordOf = ({ id, userId }: Place) => JSON.stringify([userId, id])

export function sealTokens(keyring: Keyring, place: Place, { accessToken, refreshToken }: ConnectionTokens): string {
  return keyring.seal(PURPOSE, recordOf(place), JSON.stringify({ accessToken, refreshToken }))
}

/** An upstream may send no refresh token when an account is connected again; the stored one then stays in use. */
export function sealNewTokens(keyring: Keyring, place: Place, tokens: UpstreamTokens, before: Connection | undefined) {
  const refreshToken = tokens.refreshToken ?? (before && openTokens(keyring, before)?.refreshToken)
  const { accessToken } = tokens
  return sealTokens(keyring, place, { accessToken, ...(refreshToken !== undefined && { refreshToken }) })
}

/**
 * The opened tokens. Undefined if there are none, or if they do not open: tampered with, copied from another connection, or
 * sealed under a secret that this instance does not have.
 */
export function openTokens(keyring: Keyring, connection: Connection): ConnectionTokens | undefined {
  if (connection.sealedTokens === undefined) return undefined
  try {
    return JSON.parse(keyring.open(PURPOSE, recordOf(connection), connection.sealedTokens)) as ConnectionTokens
  } catch {
    return undefined
  }
}
