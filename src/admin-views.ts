/** What the admin API and the operator's commands show of things: nothing of a code, a token or a key. */
import type {
  AdminAccount,
  AdminBlock,
  AdminClient,
  AdminRevokedClient,
  AdminUser,
  PendingGrantList
} from '../schemas/generated/admin.js'
import { type Authorization, hasEnded } from './core/authorizations/authorization.js'
import { isoTime, isoTimeOrNull } from './core/clock.js'
import type { Connection } from './core/connections/connection.js'
import type { Person } from './core/directory/directory.js'
import type { WaitingGrant, WaitingOfClient } from './core/grants/pending-list.js'

export function renderUser(person: Person): AdminUser {
  const { userId, name, email, isEmailVerified, identities, blockedAtMs, counts } = person
  return {
    id: userId,
    name: name ?? null,
    email: email ?? null,
    email_verified: isEmailVerified,
    identities: identities.map(({ upstreamId, subject }) => ({ provider: upstreamId, subject })),
    blocked: blockedAtMs !== undefined,
    blocked_at: isoTimeOrNull(blockedAtMs),
    counts: {
      active: counts.active,
      awaiting_collection: counts.awaitingCollection,
      accounts: counts.connections
    }
  }
}

/** What a change answers with: who may change need not be allowed to look, so that it says nothing of a person. */
export function renderBlock({ userId, blockedAtMs }: Person): AdminBlock {
  return { id: userId, blocked: blockedAtMs !== undefined, blocked_at: isoTimeOrNull(blockedAtMs) }
}

/** The same of a revocation. */
export function renderRevoked({ id, revokedAtMs }: Authorization): AdminRevokedClient {
  return { id, revoked_at: isoTimeOrNull(revokedAtMs) }
}

export function renderClient(authorization: Authorization, nowMs: number): AdminClient {
  return {
    id: authorization.id,
    user_id: authorization.userId,
    client_id: authorization.clientId,
    client_type: authorization.clientType,
    client_name: authorization.name ?? null,
    client_version: authorization.version ?? null,
    label: authorization.label ?? null,
    scopes: [...authorization.scopes],
    resources: [...authorization.resources],
    state: stateOf(authorization, nowMs),
    ip_at_grant: authorization.ipAtGrant,
    created_at: isoTime(authorization.createdAtMs),
    expires_at: isoTime(authorization.expiresAtMs),
    collected_at: isoTimeOrNull(authorization.collectedAtMs),
    last_used_at: isoTimeOrNull(authorization.lastUsedAtMs),
    revoked_at: isoTimeOrNull(authorization.revokedAtMs)
  }
}

function stateOf(authorization: Authorization, nowMs: number): AdminClient['state'] {
  if (authorization.revokedAtMs !== undefined) return 'revoked'
  if (hasEnded(authorization, nowMs)) return 'expired'
  return authorization.awaitsCollection ? 'awaiting_collection' : 'active'
}

export function renderAccount(connection: Connection): AdminAccount {
  const { id, userId, upstreamId, subject, username, scopes, status, connectedAtMs } = connection
  return {
    ...{ id, user_id: userId, provider: upstreamId, subject, username },
    ...{ scopes: [...scopes], status, connected_at: isoTime(connectedAtMs) }
  }
}

export function renderPending({
  grantId,
  request,
  startedAtMs,
  expiresAtMs
}: WaitingGrant): PendingGrantList['data'][0] {
  return {
    grant_id: grantId,
    client_id: request.clientId,
    client_type: request.clientType,
    client_name: request.metadata.name ?? null,
    ip: request.ip,
    location: request.location?.text ?? null,
    started_at: isoTime(startedAtMs),
    expires_at: isoTime(expiresAtMs)
  }
}

export function renderPendingOf({
  clientId,
  count,
  oldestStartedAtMs
}: WaitingOfClient): PendingGrantList['clients'][0] {
  return { client_id: clientId, count, oldest_started_at: isoTime(oldestStartedAtMs) }
}
