/** Who calls with a bearer token: a user of the dashboard, or a client that one of them has authorized. */
import { readScope } from '../clients/scope.js'
import type { ClientTokens } from '../tokens/access-tokens.js'
import type { Tokens } from '../tokens/tokens.js'
import type { DashboardSessions } from './dashboard-sessions.js'

export type Caller =
  | { kind: 'user'; userId: string }
  | { kind: 'client'; userId: string; authorizedClientId: string; scopes: readonly string[] }

export interface Callers {
  /** The caller a token stands for at this moment, or undefined. Rejects with `unavailable` when that could not be found out. */
  identify(token: string): Promise<Caller | undefined>
}

export interface CallersParts {
  sessions: DashboardSessions
  clientTokens: ClientTokens
  tokens: Tokens
}

export function createCallers({ sessions, clientTokens, tokens }: CallersParts): Callers {
  return {
    async identify(token) {
      const opened = await clientTokens.open(token)
      if (opened.kind === 'bad') return undefined
      if (opened.kind === 'foreign') {
        const user = await sessions.verify(token)
        return user && { kind: 'user', ...user }
      }
      const client = await tokens.holderOf(opened.claims)
      if (!client) return undefined
      const scopes = readScope(opened.claims.scope) ?? []
      return { kind: 'client', userId: client.userId, authorizedClientId: client.id, scopes }
    }
  }
}
