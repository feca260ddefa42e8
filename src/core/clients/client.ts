/**
 * An OAuth client (RFC 6749 §2): a program as the operator knows it, what it may ask for, and for how long it gets it.
 * The five types of program are public clients of their own names; all others come from OAUTH_CLIENTS_FILE.
 */
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import { isWithin, readScope } from './scope.js'

export const CLIENT_TYPES = ['cli', 'mcp', 'demo', 'ide-plugin', 'other'] as const
export type ClientType = (typeof CLIENT_TYPES)[number]

export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const GRANT_TYPES = [DEVICE_CODE_GRANT, 'refresh_token'] as const
export type GrantType = (typeof GRANT_TYPES)[number]

export interface Client {
  readonly id: string
  /** What the operator calls it; a built-in client has no name but what it says of itself. */
  readonly name: string | undefined
  readonly type: ClientType
  /** None for a public client; of several any will do, so that a secret can be changed without a gap. */
  readonly secretDigests: readonly string[]
  readonly grantTypes: readonly GrantType[]
  /** What it may ask for. */
  readonly scopes: readonly string[]
  readonly accessTokenTtlSeconds: number
  /** How long an authorization lasts, and so the last of its refresh tokens. */
  readonly authorizationTtlSeconds: number
  /** Stands for the client in a grant, where every byte counts. */
  readonly tag: string
}

/** What the tags of the built-in clients begin with, and no other does: the dashboard API serves any of them. */
export const BUILT_IN_TAG = '*'
/** Always this many characters; the scripts of Redis count on it. */
const TAG_LENGTH = 6

/** What every client may ask for that is not one of the operator's; those have what the operator gives them. */
export const BUILT_IN_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

export function isBuiltIn(clientId: string): boolean {
  return CLIENT_TYPES.some((type) => type === clientId)
}

/** A client that can keep no secret, and so proves nothing about who uses it (RFC 6749 §2.1). */
export function isPublic({ secretDigests }: Client): boolean {
  return secretDigests.length === 0
}

/** Throws `unauthorized_client` unless the client may use this grant (RFC 6749 §5.2). */
export function requireGrantType({ grantTypes }: Client, grantType: GrantType): void {
  if (!grantTypes.includes(grantType)) throw fault('unauthorized_client')
}

/** The scopes a client asks for, all of them its own. Throws `invalid_scope`. */
export function readRequestedScopes({ scopes: own }: Client, scope: string | undefined): readonly string[] {
  const scopes = readScope(scope)
  if (!scopes || !isWithin(scopes, own)) throw fault('invalid_scope')
  return scopes
}

/** 36 bits of a digest: ids are the operator's choice, so nobody looks for two that share a tag. */
export function tagOf(clientId: string): string {
  const tag = isBuiltIn(clientId) ? BUILT_IN_TAG + digestOf(clientId) : digestOf(clientId)
  return tag.slice(0, TAG_LENGTH)
}

/** The clients that are always there. Their access tokens live as long as the authorization. */
export function builtInClients(tokenTtlSeconds: number): Client[] {
  return CLIENT_TYPES.map((type) => ({
    id: type,
    name: undefined,
    type,
    secretDigests: [],
    grantTypes: GRANT_TYPES,
    scopes: BUILT_IN_SCOPES,
    accessTokenTtlSeconds: tokenTtlSeconds,
    authorizationTtlSeconds: tokenTtlSeconds,
    tag: tagOf(type)
  }))
}
