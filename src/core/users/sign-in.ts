/**
 * Signing in at an upstream, and connecting an account there. Both send the browser to the upstream and end with the callback;
 * in between, the pages keep the attempt's secrets in a sealed cookie.
 */
import type { Connection } from '../connections/connection.js'
import type { Connections } from '../connections/connections.js'
import type { Upstream } from '../upstream/upstream.js'
import { type Attempt, newAttempt, type UpstreamClient } from '../upstream/upstream-client.js'
import type { Refusal } from '../upstream/upstream-errors.js'
import type { BrowserSession } from './browser-session.js'
import type { BrowserSessions } from './browser-sessions.js'
import type { Identities } from './identities.js'
import type { Profiles } from './profiles.js'
import { isUserId } from './user-id.js'

export type SignInOutcome =
  | { kind: 'signed_in'; token: string; session: BrowserSession }
  | { kind: 'refused'; reason: Refusal }

/** The outcome of connecting an account. `taken`: the identity belongs to another user. */
export type ConnectOutcome =
  | { kind: 'connected'; connection: Connection }
  | { kind: 'refused'; reason: Refusal }
  | { kind: 'taken' }

export interface SignIn {
  /** All upstreams, in the order of PROVIDERS_FILE. */
  readonly upstreams: readonly Upstream[]
  upstream(id: string): Upstream | undefined
  /** The URL to send the browser to, and the secrets to keep until the callback. Rejects with `unavailable`. */
  begin(upstreamId: string, options: { reauthenticates: boolean }): Promise<{ url: URL; attempt: Attempt }>
  /** Signs in the user of the identity that the upstream confirms. `query` is the callback's. Rejects with `unavailable`. */
  finish(upstreamId: string, query: string, attempt: Attempt): Promise<SignInOutcome>
  /** Connects the account to a user who is signed in. `query` is the callback's. Rejects with `unavailable`. */
  finishConnecting(upstreamId: string, query: string, attempt: Attempt, userId: string): Promise<ConnectOutcome>
  /** The demo sign-in: signs in as the typed name, without a password. The configuration decides whether it is offered. */
  asTyped(name: string): Promise<{ token: string; session: BrowserSession }>
}

export interface SignInParts {
  upstreams: readonly UpstreamClient[]
  identities: Identities
  connections: Connections
  profiles: Profiles
  sessions: BrowserSessions
}

export function createSignIn({ upstreams, identities, connections, profiles, sessions }: SignInParts): SignIn {
  function clientOf(upstreamId: string): UpstreamClient {
    const client = upstreams.find(({ upstream }) => upstream.id === upstreamId)
    if (!client) throw new Error(`no provider ${upstreamId}`)
    return client
  }

  return {
    upstreams: upstreams.map(({ upstream }) => upstream),
    upstream: (id) => upstreams.find(({ upstream }) => upstream.id === id)?.upstream,

    async begin(upstreamId, { reauthenticates }) {
      const attempt = newAttempt(reauthenticates)
      return { url: await clientOf(upstreamId).authorizationUrl(attempt), attempt }
    },

    async finish(upstreamId, query, attempt) {
      const client = clientOf(upstreamId)
      const outcome = await client.exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens } = outcome
      const ownId = client.upstream.subjectIsUserId ? identity.subject : undefined
      if (ownId !== undefined && !isUserId(ownId)) return { kind: 'refused', reason: 'invalid' }
      const { userId, connectionId } = await identities.signIn(upstreamId, identity.subject, ownId)
      await connections.keep(userId, connectionId, { upstreamId, identity, tokens })
      await profiles.keep(userId, identity)
      return { kind: 'signed_in', ...(await sessions.begin({ userId, name: identity.name, upstreamId })) }
    },

    async finishConnecting(upstreamId, query, attempt, userId) {
      const outcome = await clientOf(upstreamId).exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens } = outcome
      const owner = await identities.connect(upstreamId, identity.subject, userId)
      if (owner.userId !== userId) return { kind: 'taken' }
      const connection = await connections.keep(userId, owner.connectionId, { upstreamId, identity, tokens })
      return { kind: 'connected', connection }
    },

    async asTyped(name) {
      await profiles.keep(name, { name })
      return sessions.begin({ userId: name, name })
    }
  }
}
