/**
 * The authorizations of a user: created from an approved grant, listed, renamed, revoked. A client JWT is valid only while its
 * authorization's record exists and allows it: a lost record makes the client sign in again, and never revives a token.
 */
import type { Client, ClientType } from '../clients/client.js'
import type { Clock } from '../clock.js'
import { isWorthNoting, type RecordStore } from '../records/record-store.js'
import { type Authorization, fromFields, hasEnded, toFields } from './authorization.js'

const DAY_MS = 86_400_000
/** How long an authorization stays listed after it expired or was revoked. */
const KEEP_LISTED_MS = 90 * DAY_MS

/** What was approved: the client's type, the scopes it asked for, and the metadata it sent about itself. */
export interface ApprovedRequest {
  clientType: ClientType
  scopes: readonly string[]
  metadata: { name?: string; version?: string; hostname?: string }
}

/** Who approved it, from which address, and the id that the decision chose for the authorization. */
export interface Approval {
  userId: string
  authorizationId: string
  ip: string
}

/** What led to a revocation: its owner, its client by a token or by the grant code, or a refresh token that was used twice. */
export type RevokedBy = 'owner' | 'token' | 'replay'

export type AuthorizationStanding = 'none' | 'active' | 'ended'

export interface Authorizations {
  /** Creates the authorization of an approved grant. Idempotent: a later call with the same id gets the existing one. */
  create(client: Client, request: ApprovedRequest, approval: Approval): Promise<Authorization>
  /** The authorization, unless it is unknown, expired or revoked. */
  find(userId: string, id: string): Promise<Authorization | undefined>
  /** What became of an approval: `none` while its client has not collected it, `ended` once it is expired or revoked. */
  standingOf(userId: string, id: string): Promise<AuthorizationStanding>
  /** Records the time of its last use, once a minute at most. */
  noteUse(authorization: Authorization): Promise<void>
  /** The active ones, and those that expired or were revoked within the last 90 days; newest first. */
  list(userId: string): Promise<Authorization[]>
  /** Sets the label, or clears it if undefined. Resolves to undefined if this user has no such authorization. */
  rename(userId: string, id: string, label: string | undefined): Promise<Authorization | undefined>
  /** Revokes for good. Idempotent. Resolves to undefined if this user has no such authorization. */
  revoke(userId: string, id: string, by?: RevokedBy): Promise<Authorization | undefined>
  /** The owner revokes all active authorizations. Resolves to their number. */
  revokeAll(userId: string): Promise<number>
}

export interface AuthorizationsParts {
  records: RecordStore
  clock: Clock
  events: { revoked(by: RevokedBy): void }
}

export function createAuthorizations({ records, clock, events }: AuthorizationsParts): Authorizations {
  const listedUntilMs = (authorization: Authorization) =>
    Math.min(authorization.expiresAtMs, authorization.revokedAtMs ?? authorization.expiresAtMs) + KEEP_LISTED_MS

  async function get(userId: string, id: string): Promise<Authorization | undefined> {
    const fields = await records.get(userId, id)
    return fields && fromFields(userId, id, fields)
  }

  async function find(userId: string, id: string): Promise<Authorization | undefined> {
    const authorization = await get(userId, id)
    return authorization && !hasEnded(authorization, clock()) ? authorization : undefined
  }

  async function list(userId: string): Promise<Authorization[]> {
    const authorizations = [...(await records.list(userId))].map(([id, fields]) => fromFields(userId, id, fields))
    const nowMs = clock()
    return authorizations
      .filter((authorization) => listedUntilMs(authorization) > nowMs)
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
  }

  async function end(userId: string, id: string): Promise<Authorization | undefined> {
    const nowMs = clock()
    const fields = await records.change(userId, id, { setOnce: { revokedAtMs: String(nowMs) } })
    if (!fields) return undefined
    const authorization = fromFields(userId, id, fields)
    // The call that revoked also shortens the record's life. If that fails the record is only kept longer than needed: it is
    // revoked already.
    if (authorization.revokedAtMs === nowMs)
      await records.change(userId, id, { keepUntilMs: listedUntilMs(authorization) })
    return authorization
  }

  return {
    async create(client, request, { userId, authorizationId, ip }) {
      const createdAtMs = clock()
      const authorization: Authorization = {
        id: authorizationId,
        userId,
        clientId: client.id,
        clientType: request.clientType,
        scopes: request.scopes,
        name: client.name ?? request.metadata.name,
        version: request.metadata.version,
        label: request.metadata.hostname,
        ipAtGrant: ip,
        createdAtMs,
        // Rounded down to a second, so that the record and the JWT's `exp` (a NumericDate) end at the same instant.
        expiresAtMs: (Math.floor(createdAtMs / 1000) + client.authorizationTtlSeconds) * 1000,
        lastUsedAtMs: undefined,
        revokedAtMs: undefined
      }
      const kept = await records.create(userId, authorization.id, toFields(authorization), listedUntilMs(authorization))
      return fromFields(userId, authorization.id, kept)
    },

    find,

    async standingOf(userId, id) {
      const authorization = await get(userId, id)
      if (!authorization) return 'none'
      return hasEnded(authorization, clock()) ? 'ended' : 'active'
    },

    async noteUse({ userId, id, lastUsedAtMs }) {
      const nowMs = clock()
      if (!isWorthNoting(lastUsedAtMs, nowMs)) return
      await records.note(userId, id, { set: { lastUsedAtMs: String(nowMs) } })
    },

    list,

    async rename(userId, id, label) {
      const fields = await records.change(userId, id, label === undefined ? { clear: ['label'] } : { set: { label } })
      return fields && fromFields(userId, id, fields)
    },

    async revoke(userId, id, by = 'owner') {
      const authorization = await end(userId, id)
      if (authorization) events.revoked(by)
      return authorization
    },

    async revokeAll(userId) {
      const active = (await list(userId)).filter((authorization) => !hasEnded(authorization, clock()))
      await Promise.all(active.map(({ id }) => end(userId, id)))
      for (const _ of active) events.revoked('owner')
      return active.length
    }
  }
}
