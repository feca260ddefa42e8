/**
 * Signing in through an identity provider, and connecting an account of one. Both begin with a visit to the provider and end
 * with what it sends the browser back with; in between the attempt's secrets wait in the browser, sealed by the pages.
 */
import type { ConnectedAccount } from '../connections/connection.js'
import type { Accounts } from '../connections/connections.js'
import type { IdentityProvider } from '../upstream/upstream.js'
import { type Attempt, newAttempt, type ProviderClient } from '../upstream/upstream-client.js'
import type { Refusal } from '../upstream/upstream-errors.js'
import type { BrowserSession } from './browser-session.js'
import type { BrowserSessions } from './browser-sessions.js'
import type { Identities } from './identities.js'
import type { Profiles } from './profiles.js'
import { isUserId } from './user-id.js'

export type SignInOutcome =
  | { kind: 'signed_in'; token: string; session: BrowserSession }
  | { kind: 'refused'; reason: Refusal }

/** `taken`: the account belongs to another user here. */
export type ConnectOutcome =
  | { kind: 'connected'; account: ConnectedAccount }
  | { kind: 'refused'; reason: Refusal }
  | { kind: 'taken' }

export interface SignIn {
  /** The providers there are, in the operator's order. */
  readonly providers: readonly IdentityProvider[]
  provider(id: string): IdentityProvider | undefined
  /** Where to send the browser, and what to remember until it comes back. Rejects with `unavailable`. */
  begin(providerId: string, options: { reauthenticates: boolean }): Promise<{ url: URL; attempt: Attempt }>
  /** Signs in whoever the provider says it is. `query` is that of the callback. */
  finish(providerId: string, query: string, attempt: Attempt): Promise<SignInOutcome>
  /** Connects the account to a user who is signed in already. */
  finishConnecting(providerId: string, query: string, attempt: Attempt, userId: string): Promise<ConnectOutcome>
  /** Signs in whoever types a name; for trying out, where the configuration allows it. */
  asTyped(name: string): Promise<{ token: string; session: BrowserSession }>
}

export interface SignInParts {
  clients: readonly ProviderClient[]
  identities: Identities
  accounts: Accounts
  profiles: Profiles
  sessions: BrowserSessions
}

export function createSignIn({ clients, identities, accounts, profiles, sessions }: SignInParts): SignIn {
  function clientOf(providerId: string): ProviderClient {
    const client = clients.find(({ provider }) => provider.id === providerId)
    if (!client) throw new Error(`no provider ${providerId}`)
    return client
  }

  return {
    providers: clients.map(({ provider }) => provider),
    provider: (id) => clients.find(({ provider }) => provider.id === id)?.provider,

    async begin(providerId, { reauthenticates }) {
      const attempt = newAttempt(reauthenticates)
      return { url: await clientOf(providerId).authorizationUrl(attempt), attempt }
    },

    async finish(providerId, query, attempt) {
      const client = clientOf(providerId)
      const outcome = await client.exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens } = outcome
      const ownId = client.provider.subjectIsUserId ? identity.subject : undefined
      if (ownId !== undefined && !isUserId(ownId)) return { kind: 'refused', reason: 'invalid' }
      const { userId, accountId } = await identities.signIn(providerId, identity.subject, ownId)
      await accounts.keep(userId, accountId, { providerId, identity, tokens })
      await profiles.keep(userId, identity)
      return { kind: 'signed_in', ...(await sessions.begin({ userId, name: identity.name, providerId })) }
    },

    async finishConnecting(providerId, query, attempt, userId) {
      const outcome = await clientOf(providerId).exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens } = outcome
      const owner = await identities.connect(providerId, identity.subject, userId)
      if (owner.userId !== userId) return { kind: 'taken' }
      const account = await accounts.keep(userId, owner.accountId, { providerId, identity, tokens })
      return { kind: 'connected', account }
    },

    async asTyped(name) {
      await profiles.keep(name, { name })
      return sessions.begin({ userId: name, name })
    }
  }
}
