/** Who calls with a bearer token: a user of the dashboard, or a client that one of them has authorized. */
import { decodeProtectedHeader } from 'jose'
import type { AuthorizedClients } from '../authorized-clients/service.js'
import type { ClientTokenClaims, ClientTokens } from '../tokens/client-tokens.js'
import type { DashboardSessions } from './sessions.js'

/** What is longer was not made by anybody we know. */
const LONGEST_TOKEN = 8_192

export type Caller = { kind: 'user'; userId: string } | { kind: 'client'; userId: string; authorizedClientId: string }

export interface Callers {
  /** The caller a token stands for at this moment, or undefined. Rejects with `unavailable` when that could not be found out. */
  identify(token: string): Promise<Caller | undefined>
}

export interface CallersParts {
  sessions: DashboardSessions
  clientTokens: ClientTokens
  authorizedClients: AuthorizedClients
}

export function createCallers({ sessions, clientTokens, authorizedClients }: CallersParts): Callers {
  async function identifyClient(claims: ClientTokenClaims | undefined): Promise<Caller | undefined> {
    const client = claims && (await authorizedClients.use(claims.sub, claims.cid))
    return client && { kind: 'client', userId: client.userId, authorizedClientId: client.id }
  }

  return {
    async identify(token) {
      const header = token.length <= LONGEST_TOKEN ? headerOf(token) : undefined
      if (!header) return undefined
      // Only a choice of whom to ask: whoever is asked trusts nothing that was read here.
      const key = await clientTokens.keyOf(header)
      if (key) return identifyClient(clientTokens.verify(token, key))
      const user = await sessions.verify(token)
      return user && { kind: 'user', ...user }
    }
  }
}

function headerOf(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch {
    // Not a JWT at all.
    return undefined
  }
}
