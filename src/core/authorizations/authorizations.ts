/**
 * The authorizations of a user: found, listed, renamed, revoked; approvals.ts has how they come about. A client JWT is valid only
 * while its authorization's record exists and allows it: a lost record makes the client sign in again, and never revives a token.
 */
import type { Clock } from '../clock.js'
import { isWorthNoting, type RecordStore } from '../records/record-store.js'
import type { Users } from '../users/user.js'
import {
  type Authorization,
  AWAITS_COLLECTION,
  fromFields,
  hasEnded,
  KEEP_LISTED_MS,
  listedUntilMs
} from './authorization.js'

/** What led to a revocation: its owner, its client by a token or by the grant code, or a refresh token that was used twice. */
export type RevokedBy = 'owner' | 'token' | 'replay'

/** `awaited`: its client has not collected it yet. `lapsed`: nor will it, for it is too late. `ended`: revoked or expired. */
export type AuthorizationStanding = 'awaited' | 'lapsed' | 'active' | 'ended'

export interface Authorizations {
  /** The authorization, whatever has become of it. */
  get(userId: string, id: string): Promise<Authorization | undefined>
  /** The authorization, unless it is unknown, expired or revoked. */
  find(userId: string, id: string): Promise<Authorization | undefined>
  /** The same for whoever presents a token of it, which a blocked user's client cannot. */
  findForUse(userId: string, id: string): Promise<Authorization | undefined>
  /** What became of an approval. */
  standingOf(userId: string, id: string): Promise<AuthorizationStanding>
  /** Records the time of its last use, once a minute at most. */
  noteUse(authorization: Authorization): Promise<void>
  /** The active ones and those that await their collection, and those that ended within the last 90 days; newest first. */
  list(userId: string): Promise<Authorization[]>
  /** Sets the label, or clears it if undefined. Resolves to undefined if this user has no such authorization. */
  rename(userId: string, id: string, label: string | undefined): Promise<Authorization | undefined>
  /** Revokes for good. Idempotent. Resolves to undefined if this user has no such authorization. */
  revoke(userId: string, id: string, by?: RevokedBy): Promise<Authorization | undefined>
  /** The owner revokes all that have not ended, collected or not. Resolves to their number. */
  revokeAll(userId: string): Promise<number>
}

export interface AuthorizationsParts {
  records: RecordStore
  users: Users
  clock: Clock
  events: { revoked(by: RevokedBy): void }
}

export function createAuthorizations({ records, users, clock, events }: AuthorizationsParts): Authorizations {
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
    const fields = await records.change(userId, id, {
      setOnce: { revokedAtMs: String(nowMs) },
      clear: [AWAITS_COLLECTION.field],
      keepAtMostUntilMs: nowMs + KEEP_LISTED_MS
    })
    return fields && fromFields(userId, id, fields)
  }

  return {
    get,
    find,

    async findForUse(userId, id) {
      // Both are asked for in one turn, so that the check costs no further round trip.
      const [authorization, isBlocked] = await Promise.all([find(userId, id), users.isBlocked(userId)])
      return isBlocked ? undefined : authorization
    },

    async standingOf(userId, id) {
      const authorization = await get(userId, id)
      // An instance of an older version approves without a record, which is then made at the collection.
      if (!authorization) return 'awaited'
      const isOver = hasEnded(authorization, clock())
      if (authorization.awaitsCollection) return isOver ? 'lapsed' : 'awaited'
      return isOver ? 'ended' : 'active'
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
      // Noted first, so that an approval whose record is missing from the list is not collected after this either.
      await users.noteRevokedAll(userId)
      const active = (await list(userId)).filter((authorization) => !hasEnded(authorization, clock()))
      await Promise.all(active.map(({ id }) => end(userId, id)))
      for (const _ of active) events.revoked('owner')
      return active.length
    }
  }
}
