/**
 * An OAuth client (RFC 6749 §2): a registered program, the scopes it may request and the lifetimes of its tokens. Each of the
 * five client types is also a built-in public client of that name; others come from OAUTH_CLIENTS_FILE, or are known by a URL
 * (url-clients.ts). All are known from the configuration and their id, so that nothing calls the storage; clients.ts finds them.
 */
import { fault } from '../fault.js'
import { CLIENT_TYPES, type ClientType, isBuiltIn, isKnownByUrl, tagOf } from './client-tag.js'
import { ANY_ON_LOOPBACK, type RedirectUris } from './redirect-uri.js'
import type { Resource } from './resource.js'
import { isWithin } from './scope.js'

export {
  BUILT_IN_TAG,
  CLIENT_TYPES,
  type ClientType,
  codeTagOf,
  isBuiltIn,
  isKnownByUrl,
  tagOf,
  URL_TAG
} from './client-tag.js'

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const CODE_GRANT = 'authorization_code'
export const GRANT_TYPES = [CODE_GRANT, DEVICE_CODE_GRANT, 'refresh_token'] as const
export type GrantType = (typeof GRANT_TYPES)[number]

export interface Client {
  readonly id: string
  /** The operator's name for it. Undefined for a built-in client, which is shown by the name it sends with a grant. */
  readonly name: string | undefined
  readonly type: ClientType
  /** Empty for a public client. Any one of several secrets is accepted, so that a secret can be rotated without downtime. */
  readonly secretDigests: readonly string[]
  readonly grantTypes: readonly GrantType[]
  /** Where the answers of the authorization endpoint may go (redirect-uri.ts). */
  readonly redirectUris: RedirectUris
  /** The scopes it may request, beside those of the resources it asks for. */
  readonly scopes: readonly string[]
  /** Those of the scopes it asks for that a user may leave out when they approve. */
  readonly optionalScopes: readonly string[]
  /** Those of the scopes that it may ask for on another device; undefined if that is all of them. */
  readonly deviceScopes: readonly string[] | undefined
  /** The resources it may ask for. */
  readonly resources: readonly Resource[]
  /** What it may be at most: accessTokenTtlOf says what it is. */
  readonly accessTokenTtlSeconds: number
  /** The lifetime of an authorization, which also ends its refresh tokens. */
  readonly authorizationTtlSeconds: number
  /** The short form of the id (`tagOf`) that a stored grant holds, to keep grants small. */
  readonly tag: string
}

/** The scopes a built-in client may request; those of any other client are set in OAUTH_CLIENTS_FILE. */
export const BUILT_IN_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

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

/** Throws `invalid_scope` unless the client may ask for all of these by the device grant. */
export function requireDeviceScopes({ deviceScopes }: Client, scopes: readonly string[]): void {
  if (deviceScopes && !isWithin(scopes, deviceScopes)) throw fault('invalid_scope')
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

/** The built-in clients, which may ask for those of the resources that are for them. */
export function builtInClients(tokenTtlSeconds: number, resources: readonly Resource[] = []): Client[] {
  const forThem = resources.filter(({ isForBuiltInClients }) => isForBuiltInClients)
  return CLIENT_TYPES.map((type) => ({
    id: type,
    name: undefined,
    type,
    secretDigests: [],
    grantTypes: GRANT_TYPES,
    redirectUris: ANY_ON_LOOPBACK,
    scopes: BUILT_IN_SCOPES,
    optionalScopes: [],
    deviceScopes: undefined,
    resources: forThem,
    accessTokenTtlSeconds: tokenTtlSeconds,
    authorizationTtlSeconds: tokenTtlSeconds,
    tag: tagOf(type)
  }))
}
