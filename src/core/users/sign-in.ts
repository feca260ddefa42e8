/**
 * Signing in at an upstream, and connecting an account there. Both send the browser to the upstream and end with the callback;
 * in between, the pages keep the attempt's secrets in a sealed cookie.
 */
import type { Whence } from '../audit/event.js'
import type { Connection } from '../connections/connection.js'
import type { Connections } from '../connections/connections.js'
import { type Attempt, newAttempt } from '../upstream/sign-in-attempt.js'
import type { Upstream, UpstreamIdentity } from '../upstream/upstream.js'
import type { UpstreamClient } from '../upstream/upstream-client.js'
import type { Refusal } from '../upstream/upstream-errors.js'
import type { Admins } from './admins.js'
import type { BrowserSession, BrowserSessions } from './browser-sessions.js'
import type { Identities } from './identities.js'
import type { Profile, Profiles } from './profiles.js'
import { isUserId } from './user.js'

/**
 * Why nobody was signed in. `only_connected`: a user has connected the identity and not chosen to sign in with it. It is neither
 * let into that user's account, which whoever was made to connect it would lose, nor given a second account by surprise.
 */
export type SignInRefusal = Refusal | 'only_connected'

export type SignInOutcome =
  | { kind: 'signed_in'; token: string; session: BrowserSession }
  | { kind: 'refused'; reason: SignInRefusal }

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
  finish(upstreamId: string, query: string, attempt: Attempt, from: Whence): Promise<SignInOutcome>
  /** Connects the account to a user who is signed in, which does not let it sign in. `query` is the callback's. Rejects with `unavailable`. */
  finishConnecting(
    upstreamId: string,
    query: string,
    attempt: Attempt,
    userId: string,
    from: Whence
  ): Promise<ConnectOutcome>
  /** The demo sign-in: signs in as the typed name, without a password. The configuration decides whether it is offered. */
  asTyped(name: string, from: Whence): Promise<{ token: string; session: BrowserSession }>
}

export interface SignInParts {
  upstreams: readonly UpstreamClient[]
  identities: Identities
  connections: Connections
  profiles: Profiles
  sessions: BrowserSessions
  admins: Pick<Admins, 'provedBy'>
}

export function createSignIn({ upstreams, identities, connections, profiles, sessions, admins }: SignInParts): SignIn {
  function clientOf(upstreamId: string): UpstreamClient {
    const client = upstreams.find(({ upstream }) => upstream.id === upstreamId)
    if (!client) throw new Error(`no upstream ${upstreamId}`)
    return client
  }

  /** What the user was called at their first identity, which no other identity changes. */
  async function nameOf(userId: string, otherwise: string): Promise<string> {
    return (await profiles.claims(userId, ['openid', 'profile'])).name ?? otherwise
  }

  return {
    upstreams: upstreams.map(({ upstream }) => upstream),
    upstream: (id) => upstreams.find(({ upstream }) => upstream.id === id)?.upstream,

    async begin(upstreamId, { reauthenticates }) {
      const attempt = newAttempt(reauthenticates)
      return { url: await clientOf(upstreamId).authorizationUrl(attempt), attempt }
    },

    async finish(upstreamId, query, attempt, from) {
      const client = clientOf(upstreamId)
      const outcome = await client.exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens, authenticatedAtMs } = outcome
      const ownId = client.upstream.subjectIsUserId ? identity.subject : undefined
      if (ownId !== undefined && !isUserId(ownId)) return { kind: 'refused', reason: 'invalid' }
      const { userId, connectionId, use } = await identities.signIn(upstreamId, identity.subject, ownId)
      if (use === 'connected') return { kind: 'refused', reason: 'only_connected' }
      const by = { actor: `user:${userId}`, ...from } as const
      await connections.keep(userId, connectionId, { upstreamId, identity, tokens }, by)
      if (use === 'first') await profiles.keep(userId, profileOf(upstreamId, identity))
      const name = use === 'first' ? identity.name : await nameOf(userId, identity.name)
      // The exchange refuses who was let through without what this attempt asked for.
      const proof = { authenticatedAtMs, isReauthenticated: attempt.reauthenticates }
      const adminAs = admins.provedBy({ upstreamId, ...identity })
      return { kind: 'signed_in', ...(await sessions.begin({ userId, name, upstreamId, ...proof, adminAs }, from)) }
    },

    async finishConnecting(upstreamId, query, attempt, userId, from) {
      const client = clientOf(upstreamId)
      const outcome = await client.exchange(query, attempt)
      if (outcome.kind === 'refused') return outcome
      const { identity, tokens } = outcome
      // Where subjects are user ids, the identity is that user, who could not sign in any more if another one connected it.
      if (client.upstream.subjectIsUserId && identity.subject !== userId) return { kind: 'taken' }
      const kept = await identities.connect(upstreamId, identity.subject, userId)
      if (kept.userId !== userId) return { kind: 'taken' }
      const by = { actor: `user:${userId}`, ...from } as const
      const connection = await connections.keep(userId, kept.connectionId, { upstreamId, identity, tokens }, by)
      return { kind: 'connected', connection }
    },

    async asTyped(name, from) {
      await profiles.keep(name, { name })
      return sessions.begin({ userId: name, name, isReauthenticated: true }, from)
    }
  }
}

/** What an upstream says of the user whose first identity this is. */
function profileOf(upstreamId: string, { subject, name, email, isEmailVerified = false }: UpstreamIdentity): Profile {
  return { name, ...(email !== undefined && { email, isEmailVerified }), identity: { upstreamId, subject } }
}
