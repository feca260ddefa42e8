/**
 * Who calls with a bearer token: a user, by a session JWT of the dashboard, or a client, by the client JWT of an authorization.
 */
import { readScope } from '../clients/scope.js'
import type { AccessTokens } from '../tokens/access-tokens.js'
import type { Tokens } from '../tokens/tokens.js'
import type { DashboardSessions } from './dashboard-sessions.js'

export type Caller =
  | { kind: 'user'; userId: string }
  | { kind: 'client'; userId: string; authorizationId: string; scopes: readonly string[] }

export interface Callers {
  /**
   * The caller that a token identifies now; undefined if the token is not valid. Rejects with `unavailable` when the storage or
   * the dashboard's keys cannot be reached.
   */
  identify(token: string): Promise<Caller | undefined>
}

export interface CallersParts {
  sessions: DashboardSessions
  accessTokens: AccessTokens
  tokens: Tokens
}

export function createCallers({ sessions, accessTokens, tokens }: CallersParts): Callers {
  return {
    async identify(token) {
      const opened = await accessTokens.open(token)
      if (opened.kind === 'bad') return undefined
      if (opened.kind === 'foreign') {
        const user = await sessions.verify(token)
        return user && { kind: 'user', ...user }
      }
      const authorization = await tokens.holderOf(opened.claims)
      if (!authorization) return undefined
      const scopes = readScope(opened.claims.scope) ?? []
      return { kind: 'client', userId: authorization.userId, authorizationId: authorization.id, scopes }
    }
  }
}
