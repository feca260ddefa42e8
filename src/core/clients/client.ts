/**
 * An OAuth client (RFC 6749 §2): a registered program, the scopes it may request and the lifetimes of its tokens. Each of the
 * five client types is also a built-in public client of that name; all other clients come from OAUTH_CLIENTS_FILE. All are known
 * from the configuration, so that nothing here calls the storage.
 */
import { fault } from '../fault.js'
import { digestOf, isSame } from '../secrets/digest.js'
import { CLIENT_TYPES, type ClientType, isBuiltIn, tagOf } from './client-tag.js'
import { ANY_ON_LOOPBACK, type RedirectUris } from './redirect-uri.js'
import type { Resource } from './resource.js'

export { BUILT_IN_TAG, CLIENT_TYPES, type ClientType, codeTagOf, isBuiltIn, tagOf } from './client-tag.js'

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
 * The life of an access token, which a resource may shorten. That of a built-in client lives as long as its authorization, unless
 * a refresh token comes with it: then an hour, as for other clients.
 */
export function accessTokenTtlOf(client: Client, hasRefreshToken: boolean): number {
  const { id, accessTokenTtlSeconds } = client
  return hasRefreshToken && isBuiltIn(id) ? Math.min(HOUR_SECONDS, accessTokenTtlSeconds) : accessTokenTtlSeconds
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
    resources: forThem,
    accessTokenTtlSeconds: tokenTtlSeconds,
    authorizationTtlSeconds: tokenTtlSeconds,
    tag: tagOf(type)
  }))
}

export interface Clients {
  find(clientId: string): Client | undefined
  /**
   * The client with this id and secret (RFC 6749 §2.3); undefined if they do not match. A public client has no secret, so
   * presenting one for it fails.
   */
  authenticate(clientId: string, secret: string | undefined): Client | undefined
  list(): readonly Client[]
}

export function createClients(clients: readonly Client[]): Clients {
  const byId = new Map(clients.map((client) => [client.id, client]))

  return {
    find: (clientId) => byId.get(clientId),

    authenticate(clientId, secret) {
      const client = byId.get(clientId)
      if (!client) return undefined
      if (isPublic(client)) return secret === undefined ? client : undefined
      if (secret === undefined) return undefined
      const digest = digestOf(secret)
      return client.secretDigests.some((one) => isSame(one, digest)) ? client : undefined
    },

    list: () => clients
  }
}
