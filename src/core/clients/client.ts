/**
 * An OAuth client (RFC 6749 §2): a registered program, the scopes it may request and the lifetimes of its tokens. Each of the
 * five client types is also a built-in public client of that name; others come from OAUTH_CLIENTS_FILE, or are known by a URL
 * (url-clients.ts). All are known from the configuration and their id, so that nothing calls the storage; clients.ts finds them.
 */
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Resource } from './resource.js'

export const CLIENT_TYPES = ['cli', 'mcp', 'demo', 'ide-plugin', 'other'] as const
export type ClientType = (typeof CLIENT_TYPES)[number]

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const GRANT_TYPES = [DEVICE_CODE_GRANT, 'refresh_token'] as const
export type GrantType = (typeof GRANT_TYPES)[number]

export interface Client {
  readonly id: string
  /** The operator's name for it. Undefined for a built-in client, which is shown by the name it sends with a grant. */
  readonly name: string | undefined
  readonly type: ClientType
  /** Empty for a public client. Any one of several secrets is accepted, so that a secret can be rotated without downtime. */
  readonly secretDigests: readonly string[]
  readonly grantTypes: readonly GrantType[]
  /** The scopes it may request, beside those of the resources it asks for. */
  readonly scopes: readonly string[]
  /** Those of the scopes it asks for that a user may leave out when they approve. */
  readonly optionalScopes: readonly string[]
  /** The resources it may ask for. */
  readonly resources: readonly Resource[]
  /** What it may be at most: accessTokenTtlOf says what it is. */
  readonly accessTokenTtlSeconds: number
  /** The lifetime of an authorization, which also ends its refresh tokens. */
  readonly authorizationTtlSeconds: number
  /** The short form of the id (`tagOf`) that a stored grant holds, to keep grants small. */
  readonly tag: string
}

/** The first character of the tags of all built-in clients, and of no other tag: the dashboard API polls for any of them. */
export const BUILT_IN_TAG = '*'
/**
 * The first character of the tags of all clients known by a URL, and of no other tag. Their ids are not the operator's, and whoever
 * tries long enough finds two with the same tag: so that it can only be two of these, which keep no secret from each other.
 */
export const URL_TAG = '@'
/** Fixed, because the Redis scripts read a grant by columns. */
const TAG_LENGTH = 6

/** The scopes a built-in client may request; those of any other client are set in OAUTH_CLIENTS_FILE. */
export const BUILT_IN_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

export function isBuiltIn(clientId: string): boolean {
  return CLIENT_TYPES.some((type) => type === clientId)
}

/** Whether an id is a URL, as those of other clients never are: theirs have no colon. */
export function isKnownByUrl(clientId: string): boolean {
  return clientId.startsWith('https://')
}

/** What is known for certain of a client that is known by a URL: where its document is. Undefined for any other. */
export function hostOfClient(clientId: string): string | undefined {
  return isKnownByUrl(clientId) && URL.canParse(clientId) ? new URL(clientId).host : undefined
}

/** A client that can keep no secret, and so proves nothing about who uses it (RFC 6749 §2.1). */
export function isPublic({ secretDigests }: Client): boolean {
  return secretDigests.length === 0
}

/** Throws `unauthorized_client` unless the client may use this grant (RFC 6749 §5.2). */
export function requireGrantType({ grantTypes }: Client, grantType: GrantType): void {
  if (!grantTypes.includes(grantType)) throw fault('unauthorized_client')
}

const HOUR_SECONDS = 3_600

/**
 * The life of an access token, which a resource may shorten. That of a built-in client, or of one known by a URL, lives as long as
 * its authorization, unless a refresh token comes with it: then an hour, as for other clients.
 */
export function accessTokenTtlOf(client: Client, hasRefreshToken: boolean): number {
  const { id, accessTokenTtlSeconds } = client
  return hasRefreshToken && (isBuiltIn(id) || isKnownByUrl(id))
    ? Math.min(HOUR_SECONDS, accessTokenTtlSeconds)
    : accessTokenTtlSeconds
}

/**
 * The tag of a client: six characters, 36 bits of the id's digest for a client of OAUTH_CLIENTS_FILE. That is enough because
 * only the operator chooses ids, and clients whose tags collide are rejected at start. Who collects for a client known by a URL is
 * compared by its whole id besides (grants/polls.ts).
 */
export function tagOf(clientId: string): string {
  const first = isBuiltIn(clientId) ? BUILT_IN_TAG : isKnownByUrl(clientId) ? URL_TAG : ''
  return (first + digestOf(clientId)).slice(0, TAG_LENGTH)
}

/** The built-in clients, which may ask for those of the resources that are for them. */
export function builtInClients(tokenTtlSeconds: number, resources: readonly Resource[] = []): Client[] {
  const forThem = resources.filter(({ isForBuiltInClients }) => isForBuiltInClients)
  return CLIENT_TYPES.map((type) => ({
    id: type,
    name: undefined,
    type,
    secretDigests: [],
    grantTypes: GRANT_TYPES,
    scopes: BUILT_IN_SCOPES,
    optionalScopes: [],
    resources: forThem,
    accessTokenTtlSeconds: tokenTtlSeconds,
    authorizationTtlSeconds: tokenTtlSeconds,
    tag: tagOf(type)
  }))
}
