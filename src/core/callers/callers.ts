/**
 * Who calls with a bearer token (RFC 6750): a user of the dashboard by a session JWT, a client that one of them has authorized
 * by a client JWT, or a back end by an API key. Which of them may do what is said here; what a request brings is the plugins'.
 */
import { type ApiKey, type ApiKeyRight, looksLikeApiKey } from '../api-keys/api-key.js'
import type { ApiKeys, ReadKey } from '../api-keys/api-keys.js'
import type { Actor } from '../audit/event.js'
import { isBuiltIn } from '../clients/client.js'
import { readScope } from '../clients/scope.js'
import { fault } from '../fault.js'
import type { AccessTokens } from '../tokens/access-tokens.js'
import type { Tokens } from '../tokens/tokens.js'
import type { DashboardSessions } from './dashboard-sessions.js'

type User = { kind: 'user'; userId: string }

/** `clientId` is the OAuth client that the authorization was given to. */
interface AuthorizedClient {
  kind: 'client'
  userId: string
  authorizationId: string
  clientId: string
  scopes: readonly string[]
}

export type Caller = User | AuthorizedClient

/** Who asks for the token of a connection. */
export type ConnectionReader = User | { kind: 'api_key'; keyId: string }

/** Each rejects with `invalid_token`, and with `unavailable` when it could not be found out. */
export interface Callers {
  /** The user, or the client of theirs, that a token stands for at this moment. */
  identify(token: string): Promise<Caller>
  /** The user that a token stands for. A client is `forbidden`. */
  identifyUser(token: string): Promise<User>
  /**
   * The API key that a token is, if it may be used now for this; notes that it was. One without the right is `forbidden`. `read` is
   * that of `ApiKeys.use`.
   */
  identifyApiKey(token: string, right: ApiKeyRight, read?: ReadKey): Promise<ApiKey>
  /** Whoever may ask for tokens of connections: a back end with an API key that has the right, or a user. A client is `forbidden`. */
  identifyConnectionReader(token: string): Promise<ConnectionReader>
}

/** What a caller is called in the audit trail. */
export function actorOf(caller: Caller): Actor {
  return caller.kind === 'user' ? `user:${caller.userId}` : `client:${caller.clientId}`
}

/** Whether a caller may see all authorizations of the user: a client of OAUTH_CLIENTS_FILE sees the one that is its own. */
export function mayListAll(caller: Caller): boolean {
  return caller.kind === 'user' || isBuiltIn(caller.clientId)
}

/** Whether a caller may rename or revoke this authorization of the user: no client changes any but its own. */
export function mayChange(caller: Caller, authorizationId: string): boolean {
  return caller.kind === 'user' || caller.authorizationId === authorizationId
}

export interface CallersParts {
  sessions: DashboardSessions
  accessTokens: AccessTokens
  tokens: Tokens
  apiKeys: ApiKeys
}

export function createCallers({ sessions, accessTokens, tokens, apiKeys }: CallersParts): Callers {
  async function find(token: string): Promise<Caller | undefined> {
    const opened = await accessTokens.open(token)
    if (opened.kind === 'bad') return undefined
    if (opened.kind === 'foreign') {
      const user = await sessions.verify(token)
      return user && { kind: 'user', ...user }
    }
    const authorization = await tokens.holderOf(opened.claims)
    if (!authorization) return undefined
    const { userId, id: authorizationId, clientId } = authorization
    return { kind: 'client', userId, authorizationId, clientId, scopes: readScope(opened.claims.scope) ?? [] }
  }

  async function identify(token: string): Promise<Caller> {
    const caller = await find(token)
    if (!caller) throw fault('invalid_token')
    return caller
  }

  async function identifyUser(token: string): Promise<User> {
    const caller = await identify(token)
    if (caller.kind === 'client') throw fault('forbidden', { detail: 'a client JWT' })
    return caller
  }

  async function identifyApiKey(token: string, right: ApiKeyRight, read?: ReadKey): Promise<ApiKey> {
    const key = await apiKeys.use(token, right, read)
    if (!key) throw fault('invalid_token', { detail: 'no API key' })
    return key
  }

  return {
    identify,
    identifyUser,
    identifyApiKey,

    async identifyConnectionReader(token) {
      // An API key says of itself that it is one; anything else can only be a JWT.
      if (!looksLikeApiKey(token)) return identifyUser(token)
      return { kind: 'api_key', keyId: (await identifyApiKey(token, 'connected-accounts')).id }
    }
  }
}
