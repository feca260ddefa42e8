/** Builds the services of this folder and of connections/ over the storage, in the order of their dependencies. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Clock } from '../clock.js'
import { isConnection } from '../connections/connection.js'
import { createConnections, isConnectionUser } from '../connections/connections.js'
import { createRefresher, type RefreshEvent } from '../connections/refresher.js'
import type { Epoch } from '../epoch/epoch.js'
import { readable } from '../records/readable.js'
import type { LockStore, RecordStore } from '../records/record-store.js'
import type { Keyring } from '../secrets/keyring.js'
import type { Upstream, UpstreamEvents } from '../upstream/upstream.js'
import { createUpstreamClient } from '../upstream/upstream-client.js'
import { createAdmins } from './admins.js'
import { createBrowserSessions, isSession } from './browser-sessions.js'
import { createIdentities, isIdentity } from './identities.js'
import { createProfiles, isEmailOfUser, isProfile } from './profiles.js'
import { createSignIn } from './sign-in.js'
import { createUsers, isStanding } from './user.js'

export interface UserEvents extends UpstreamEvents {
  connectionRefreshed(event: RefreshEvent): void
}

export interface UserServicesParts {
  storage: Readonly<
    Record<'users' | 'identities' | 'emails' | 'profiles' | 'sessions' | 'connections' | 'connectionUsers', RecordStore>
  > & { readonly locks: LockStore }
  config: {
    readonly publicUrl: string
    readonly upstreams: readonly Upstream[]
    readonly admins: readonly string[]
    readonly sessions: { readonly idleSeconds: number; readonly ttlSeconds: number }
  }
  keyring: Keyring
  epoch: Pick<Epoch, 'ends'>
  audit: Pick<AuditTrail, 'tell'>
  events: UserEvents
  clock: Clock
}

export function createUserServices(parts: UserServicesParts) {
  const { storage, config, keyring, epoch, audit, events, clock } = parts
  const users = createUsers({ records: readable(storage.users, isStanding), clock, audit })
  const identities = createIdentities({ records: readable(storage.identities, isIdentity), clock })
  const emails = readable(storage.emails, isEmailOfUser)
  const profiles = createProfiles({ records: readable(storage.profiles, isProfile), emails, clock })
  const browserSessions = createBrowserSessions({
    records: readable(storage.sessions, isSession),
    users,
    epoch,
    clock,
    audit,
    ...config.sessions
  })

  const upstreams = config.upstreams.map((upstream) =>
    createUpstreamClient({ upstream, redirectUri: `${config.publicUrl}/login/${upstream.id}/callback`, clock, events })
  )
  const clientOf = (upstreamId: string) => upstreams.find(({ upstream }) => upstream.id === upstreamId)
  const connectionRecords = readable(storage.connections, isConnection)
  const refresher = createRefresher({
    records: connectionRecords,
    locks: storage.locks,
    keyring,
    clientOf,
    clock,
    refreshed: events.connectionRefreshed
  })
  const connections = createConnections({
    records: connectionRecords,
    connectionUsers: readable(storage.connectionUsers, isConnectionUser),
    releaseIdentity: identities.release,
    isBlocked: users.isBlocked,
    refresher,
    keyring,
    clientOf,
    audit,
    clock
  })

  const admins = createAdmins(config.admins)
  const signIn = createSignIn({ upstreams, identities, connections, profiles, sessions: browserSessions, admins })
  return { users, identities, profiles, browserSessions, refresher, connections, admins, signIn }
}
