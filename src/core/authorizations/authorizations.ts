/**
 * The authorizations of a user: created from an approved grant, listed, renamed, revoked. A client JWT is valid only while its
 * authorization's record exists and allows it: a lost record makes the client sign in again, and never revives a token.
 */
import type { Client, ClientType } from '../clients/client.js'
import type { Clock } from '../clock.js'
import { readPage } from '../records/batches.js'
import { isWorthNoting, type Position, type RecordStore } from '../records/record-store.js'
import { type Authorization, fromFields, hasEnded, toFields } from './authorization.js'

const DAY_MS = 86_400_000
/** How long an authorization stays listed after it expired or was revoked. */
const KEEP_LISTED_MS = 90 * DAY_MS

/** How many active authorizations a user may have. */
export const MOST_ACTIVE = 500
/** How many of those that ended are listed, the latest ones; the others go. */
const MOST_ENDED = 200
/** What is listed at once where no pages are asked for: everything, but for a user from before there was a maximum. */
const MOST_LISTED = MOST_ACTIVE + MOST_ENDED

/**
 * An authorization ends KEEP_LISTED_MS before its record does, so that the order of the records' lives is that of the list: those
 * that outlive this time are active, the others have ended.
 */
const ENDED = { withinMs: KEEP_LISTED_MS, most: MOST_ENDED }
/** A grant can be collected for half an hour at most (rules.ts). Until then a record that revoked it must not be lost. */
const COLLECTABLE_MS = 3_600_000
/** How many are revoked in one step. */
const REVOKED_AT_ONCE = 50

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
  /** The first page of the list, which is as long as the list of any user may be. */
  list(userId: string): Promise<Authorization[]>
  /**
   * The active ones, then the newest 200 of those that expired or were revoked within the last 90 days: those that end or ended
   * last come first, and within a page the newest do. At most 700 of them, or fewer if `most` says so.
   */
  page(userId: string, options?: { most?: number; after?: Position | undefined }): Promise<AuthorizationPage>
  /** Sets the label, or clears it if undefined. Resolves to undefined if this user has no such authorization. */
  rename(userId: string, id: string, label: string | undefined): Promise<Authorization | undefined>
  /** Revokes for good. Idempotent. Resolves to undefined if this user has no such authorization. */
  revoke(userId: string, id: string, by?: RevokedBy): Promise<Authorization | undefined>
  /**
   * The owner revokes all active authorizations, some at a time, however many there are. Resolves to their number. Rejects with
   * `unavailable` when it could not go on; those that were revoked by then stay so, and another call goes on with the others.
   */
  revokeAll(userId: string): Promise<number>
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

  async function page(
    userId: string,
    { most = MOST_LISTED, after }: { most?: number; after?: Position | undefined } = {}
  ): Promise<AuthorizationPage> {
    const options = { order: 'last-to-end', fading: ENDED, most: Math.min(most, MOST_LISTED), after } as const
    const found = await readPage(records.page, userId, options)
    const nowMs = clock()
    const authorizations = [...found.records]
      .map(([id, fields]) => fromFields(userId, id, fields))
      .filter((authorization) => listedUntilMs(authorization) > nowMs)
      .sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
    return { authorizations, next: found.next, active: found.lasting }
  }

  /** Some of the ended ones that are not listed any more go with each one that is made or ends. */
  const trim = (userId: string) => records.trim(userId, ENDED, COLLECTABLE_MS)

  async function end(userId: string, id: string): Promise<Authorization | undefined> {
    const nowMs = clock()
    const fields = await records.change(userId, id, { setOnce: { revokedAtMs: String(nowMs) } })
    if (!fields) return undefined
    const authorization = fromFields(userId, id, fields)
    // The call that revoked also shortens the record's life. If that fails the record is only kept longer than needed: it is
    // revoked already.
    if (authorization.revokedAtMs === nowMs)
      await records.change(userId, id, { keepUntilMs: listedUntilMs(authorization) })
    await trim(userId)
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
      await trim(userId)
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

    list: async (userId) => (await page(userId)).authorizations,
    page,

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
      const active = { order: 'last-to-end', fading: { ...ENDED, most: 0 }, most: REVOKED_AT_ONCE } as const
      let revoked = 0
      let after: Position | undefined
      do {
        // Each of these calls has a time limit of its own. Without ids the second one still waits for the replicas, which may not
        // have heard yet what an earlier attempt has revoked.
        const { ids, next } = await records.ids(userId, { ...active, after })
        const nowMs = clock()
        const mark = { field: 'revokedAtMs', value: String(nowMs) }
        const ended = await records.end(userId, ids, mark, nowMs + KEEP_LISTED_MS)
        for (const _ of ended) events.revoked('owner')
        revoked += ended.length
        await trim(userId)
        after = next
      } while (after !== undefined)
      return revoked
    }
  }
}
