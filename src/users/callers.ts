/** Who calls with a bearer token: a user of the dashboard, or a client that one of them has authorized. */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { AuthorizedClients } from '../authorized-clients/service.js'
import type { ClientTokens } from '../tokens/client-tokens.js'
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
  async function identifyClient(token: string, kid: unknown): Promise<Caller | undefined> {
    const claims = await clientTokens.verify(token, kid)
    const client = claims && (await authorizedClients.use(claims.sub, claims.cid))
    return client && { kind: 'client', userId: client.userId, authorizedClientId: client.id }
  }

  return {
    async identify(token) {
      const claimed = token.length <= LONGEST_TOKEN ? read(token) : undefined
      if (!claimed) return undefined
      // Only a choice of whom to ask: whoever is asked trusts nothing that was read here.
      if (clientTokens.isOurs(claimed.header, claimed.claims)) return identifyClient(token, claimed.header.kid)
      const user = await sessions.verify(token)
      return user && { kind: 'user', ...user }
    }
  }
}

function read(token: string) {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) }
  } catch {
    // Not a JWT at all.
    return undefined
  }
}
