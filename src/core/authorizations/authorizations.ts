/**
 * The authorizations of a user: found, listed, renamed, revoked. How they come about is in approvals.ts, how they end in
 * revoking.ts. A client JWT is valid only while its authorization's record exists and allows it: a lost record makes the client sign
 * in again, and never revives a token.
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import { BY_ITSELF, type Origin, type Whence } from '../audit/event.js'
import { accessTokenTtlOf } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import { readPage } from '../records/batches.js'
import { isWorthNoting, type Position, type RecordStore } from '../records/record-store.js'
import type { Users } from '../users/user.js'
import {
  type Authorization,
  ENDED,
  fromFields,
  hasEnded,
  isRefreshable,
  listedUntilMs,
  MOST_ACTIVE
} from './authorization.js'
import { withinEpoch } from './ended-by-epoch.js'
import type { RevokedBy, Revoking } from './revoking.js'

export type { RevokedBy } from './revoking.js'

/** What is listed at once where no pages are asked for: everything, but for a user from before there was a maximum. */
const MOST_LISTED = MOST_ACTIVE + ENDED.most

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
  /** The first page of the list, which is as long as the list of any user may be; newest first. */
  list(userId: string): Promise<Authorization[]>
  /**
   * The active ones, those that await their collection among them, then the newest 200 of those that ended within the last 90 days:
   * those that end or ended last come first. At most 700 of them, or fewer if `most` says so.
   */
  page(userId: string, options?: { most?: number; after?: Position | undefined }): Promise<AuthorizationPage>
  /** How many are active, and of these await their collection, and whether there is one at all, ended or not. */
  countsOf(userId: string): Promise<{ active: number; awaited: number; isAny: boolean }>
  /** Sets the label, or clears it if undefined; one that it has already is not told. Undefined if this user has no such authorization. */
  rename(userId: string, id: string, label: string | undefined, by: Origin): Promise<Authorization | undefined>
  /** Revokes for good. Idempotent. Resolves to undefined if this user has no such authorization. */
  revoke(userId: string, id: string, how: RevokedBy, by: Origin): Promise<Authorization | undefined>
  /** The same where a refresh token was used twice, which is told as well. */
  revokeReplayed(authorization: Authorization, from: Whence): Promise<void>
  /**
   * Revokes all of a user that have not ended, collected or not, some at a time, however many there are. Resolves to their number.
   * Rejects with `unavailable` when it could not go on; those that were revoked by then stay so, and another call goes on with
   * the others.
   */
  revokeAll(userId: string, how: RevokedBy, by: Origin): Promise<number>
}

export interface AuthorizationPage {
  authorizations: Authorization[]
  /** Where the next page begins; undefined if this is the last one. */
  next: Position | undefined
  /** How many of this user's authorizations are active, on all pages. */
  active: number
}

export interface AuthorizationsParts {
  records: RecordStore
  users: Users
  epoch: Pick<Epoch, 'ends'>
  revoking: Pick<Revoking, 'revoke' | 'revokeSome'>
  clients: Pick<Clients, 'find'>
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
  events: { revoked(by: RevokedBy): void }
}

/** The order in which people look at a list. */
export function newestFirst(a: Authorization, b: Authorization): number {
  return b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1)
}

export function createAuthorizations({
  records,
  users,
  epoch,
  revoking,
  clients,
  clock,
  audit,
  events
}: AuthorizationsParts): Authorizations {
  async function get(userId: string, id: string): Promise<Authorization | undefined> {
    // Both are asked for in one turn, so that the second costs no further round trip.
    const [fields, ends] = await Promise.all([records.get(userId, id), epoch.ends()])
    return fields && withinEpoch(fromFields(userId, id, fields), ends)
  }

  async function find(userId: string, id: string): Promise<Authorization | undefined> {
    const authorization = await get(userId, id)
    return authorization && !hasEnded(authorization, clock()) ? authorization : undefined
  }

  async function page(
    userId: string,
    { most = MOST_LISTED, after }: { most?: number; after?: Position | undefined } = {}
  ): Promise<AuthorizationPage> {
    const options = { order: 'last-to-end', fading: ENDED, most: Math.min(most, MOST_LISTED), after } as const
    const [found, ends] = await Promise.all([readPage(records.page, userId, options), epoch.ends()])
    const nowMs = clock()
    const authorizations = [...found.records]
      .map(([id, fields]) => withinEpoch(fromFields(userId, id, fields), ends))
      .filter((authorization) => listedUntilMs(authorization) > nowMs)
    return { authorizations, next: found.next, active: found.lasting }
  }

  async function revoke(userId: string, id: string, how: RevokedBy, by: Origin): Promise<Authorization | undefined> {
    const authorization = await revoking.revoke(userId, id, how, by)
    if (authorization) events.revoked(how)
    return authorization
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

    async noteUse(authorization) {
      const { userId, id, clientId, lastUsedAtMs, tokenLifeMs = Number.POSITIVE_INFINITY } = authorization
      const nowMs = clock()
      // The operator may have made tokens live longer since its collection, and may make them live shorter again.
      const client = clients.find(clientId)
      const lifeMs = client ? accessTokenTtlOf(client, isRefreshable(authorization)) * 1000 : 0
      const isLonger = lifeMs > tokenLifeMs
      if (!isLonger && !isWorthNoting(lastUsedAtMs, nowMs)) return
      const set = { lastUsedAtMs: String(nowMs), ...(isLonger && { tokenLifeMs: String(lifeMs) }) }
      await records.note(userId, id, { set })
    },

    list: async (userId) => (await page(userId)).authorizations.sort(newestFirst),
    page,

    async countsOf(userId) {
      const order = 'last-to-end'
      const [found, { ids }, ends] = await Promise.all([
        readPage(records.page, userId, { order, most: MOST_ACTIVE, fading: { ...ENDED, most: 0 } }),
        records.ids(userId, { order, most: 1 }),
        epoch.ends()
      ])
      const nowMs = clock()
      const all = [...found.records].map(([id, fields]) => withinEpoch(fromFields(userId, id, fields), ends))
      const revoked = all.filter(({ revokedAtMs }) => revokedAtMs !== undefined)
      const awaited = all.filter((one) => one.awaitsCollection && !hasEnded(one, nowMs))
      return { active: found.lasting - revoked.length, awaited: awaited.length, isAny: ids.length > 0 }
    },

    async rename(userId, id, label, by) {
      const before = await records.get(userId, id)
      if (before && before.label !== label) {
        // Told first: whoever repeats this finds the label, and could not know whether it was told.
        const { clientId } = fromFields(userId, id, before)
        await audit.tell({ type: 'authorization.renamed', ...by, userId, clientId, authorizationId: id })
      }
      // Written in any case, because the replicas may not have heard yet of an earlier attempt.
      const fields = await records.change(userId, id, label === undefined ? { clear: ['label'] } : { set: { label } })
      return fields && fromFields(userId, id, fields)
    },

    revoke,

    async revokeReplayed({ userId, id: authorizationId, clientId }, from) {
      // First, so that what cannot be told is revoked all the same. Whoever presents the token again tells it again.
      await revoke(userId, authorizationId, 'replay', { ...BY_ITSELF, ...from })
      const replayed = { type: 'refresh_token.replayed', actor: `client:${clientId}` } as const
      await audit.tell({ ...replayed, ...from, userId, clientId, authorizationId })
    },

    async revokeAll(userId, how, by) {
      // Noted first, so that an approval whose record is missing from the list is not collected after this either.
      await users.noteRevokedAll(userId)
      let total = 0
      for (;;) {
        // What is revoked is not active any more, so the next step has the others, with those that are collected meanwhile. Each of
        // its calls has a time limit of its own.
        const { revoked, isDone } = await revoking.revokeSome(userId, how, by)
        for (let i = 0; i < revoked; i++) events.revoked(how)
        total += revoked
        if (isDone) return total
      }
    }
  }
}
