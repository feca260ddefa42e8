/**
 * How an authorization comes about. Its record is written before the decision that approves it, so that whatever revokes finds
 * every approval; a record whose decision does not come to stand is discarded, or lapses. The collection gives it its life.
 */
import { BY_ITSELF, type Origin } from '../audit/event.js'
import type { Client } from '../clients/client.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import { fault } from '../fault.js'
import type { ParentIndex, RecordStore } from '../records/record-store.js'
import type { Users } from '../users/user.js'
import {
  type Approval,
  type Approved,
  type ApprovedRequest,
  authorizationOf,
  awaiting,
  collectedAt,
  firstLabelOf,
  isInForce
} from './approval.js'
import {
  type Authorization,
  AWAITS_COLLECTION,
  ENDED,
  fromFields,
  isRefreshable,
  KEEP_LISTED_MS,
  listedUntilMs,
  MOST_ACTIVE,
  SPARE_MS,
  toFields
} from './authorization.js'
import type { Authorizations, RevokedBy } from './authorizations.js'

export interface Approvals {
  /**
   * Writes the record of what is about to be approved. Idempotent: it resolves to the one that is there, if there is one. 'full'
   * if it is not there, and its user has MOST_ACTIVE already.
   */
  prepare(
    client: Client | undefined,
    request: ApprovedRequest,
    approval: Approval & { lapsesAtMs: number }
  ): Promise<Authorization | 'full'>
  /** Deletes what was prepared for an approval that does not stand. What was collected or revoked stays. */
  discard(userId: string, authorizationId: string): Promise<void>
  /** Deletes what was prepared under an id that no decision has, even if it was revoked meanwhile: nobody asks for it any more. */
  forget(userId: string, authorizationId: string): Promise<void>
  /**
   * The authorization for the client that collects it, the first time and again. Undefined if it was revoked, or its user is
   * blocked. Makes a record that is missing, unless everything was revoked since the approval.
   */
  collect(client: Client, approved: Approved, collecting?: CollectedBy): Promise<Authorization | undefined>
  /** Revokes what an approval led to, so that it is not collected any more. Idempotent. */
  revoke(client: Client | undefined, approved: Omit<Approved, 'createdAtMs'>, how: RevokedBy, by: Origin): Promise<void>
}

export interface CollectedBy {
  /** What it is called from the first collection on, unless its user has called it otherwise. */
  label?: string | undefined
  /** Whether a refresh token comes with its tokens, if it is refreshable. */
  takesRefreshToken?: boolean
}

export interface ApprovalsParts {
  records: RecordStore
  /** Whose an authorization is, for whoever has its id alone. */
  parents: ParentIndex
  authorizations: Authorizations
  users: Users
  epoch: Pick<Epoch, 'ends'>
  clock: Clock
  /** Takes a place in the status lists for an authorization. Absent where there are none. */
  takeStatusIndex?: (() => Promise<number>) | undefined
}

export function createApprovals(parts: ApprovalsParts): Approvals {
  const { records, parents, authorizations, users, epoch, clock, takeStatusIndex } = parts

  const recordOf = (authorization: Authorization) =>
    [authorization.userId, authorization.id, toFields(authorization), listedUntilMs(authorization)] as const

  const noteUser = (authorization: Authorization) =>
    parents.note([{ id: authorization.id, parent: authorization.userId, keepUntilMs: listedUntilMs(authorization) }])

  /** A record for what was approved already, which the maximum does not concern any more. */
  async function make(authorization: Authorization): Promise<Authorization> {
    const { userId, id } = authorization
    const [kept] = await Promise.all([records.create(...recordOf(authorization)), noteUser(authorization)])
    return fromFields(userId, id, kept)
  }

  /** The record of an approval is missing if an older version has approved, or if data was lost: it is made here. */
  async function standIn(
    client: Client,
    approved: Approved,
    takesRefreshToken: boolean
  ): Promise<Authorization | undefined> {
    const { request, decision } = approved
    const { userId, authorizationId, scopes = request.scopes } = decision
    const hasRefreshToken = takesRefreshToken && isRefreshable({ scopes })
    const times = { ...collectedAt(client, clock(), hasRefreshToken), awaitsCollection: false }
    const made = await make(authorizationOf(client, request, decision, clock(), times, await takeStatusIndex?.()))
    // Whoever revokes everything notes that before they list: either they found this record, or it is noted by now.
    if (isInForce(approved, await users.standingOf(userId))) return made
    return authorizations.revoke(userId, authorizationId, 'owner', BY_ITSELF)
  }

  return {
    async prepare(client, request, approval) {
      const { userId, authorizationId: id } = approval
      // Taken for what may not come to stand, too: whoever revokes an authorization while it is collected has to know its place.
      const statusIndex = await takeStatusIndex?.()
      const times = awaiting(approval.lapsesAtMs)
      const authorization = authorizationOf(client, request, approval, clock(), times, statusIndex)
      const cap = { withinMs: KEEP_LISTED_MS, most: MOST_ACTIVE }
      // All are asked for in one turn, so that the others cost no further round trip.
      const [kept] = await Promise.all([
        records.createWithin(...recordOf(authorization), cap),
        noteUser(authorization),
        records.trim(userId, ENDED, SPARE_MS)
      ])
      return kept === 'full' ? 'full' : fromFields(userId, id, kept)
    },

    discard: (userId, authorizationId) => records.delete(userId, authorizationId, AWAITS_COLLECTION),
    forget: (userId, authorizationId) => records.delete(userId, authorizationId),

    async collect(client, approved, { label, takesRefreshToken = false } = {}) {
      const { userId, authorizationId: id } = approved.decision
      // All are asked for in one turn, so that the checks cost no further round trip.
      const [kept, standing, { beforeMs }] = await Promise.all([
        authorizations.get(userId, id),
        users.standingOf(userId),
        epoch.ends()
      ])
      // Without a record nothing tells when it was approved, which may have been at once.
      if (!kept && approved.createdAtMs < beforeMs) return undefined
      if (standing.blockedAtMs !== undefined) return undefined
      if (!isInForce(approved, standing)) {
        // An instance of an older version may have missed this record when it revoked everything.
        if (kept && kept.revokedAtMs === undefined) await authorizations.revoke(userId, id, 'owner', BY_ITSELF)
        return undefined
      }
      let authorization = kept ?? (await standIn(client, approved, takesRefreshToken))
      if (authorization?.awaitsCollection && authorization.revokedAtMs === undefined) {
        const hasRefreshToken = takesRefreshToken && isRefreshable(authorization)
        const times = collectedAt(client, clock(), hasRefreshToken)
        const { collectedAtMs, lastUsedAtMs, tokenLifeMs, expiresAtMs } = times
        const isNamed = label === undefined || authorization.label !== firstLabelOf(approved.request)
        const change = records.change(userId, id, {
          onlyIf: AWAITS_COLLECTION,
          set: {
            ...(!isNamed && { label }),
            collectedAtMs: String(collectedAtMs),
            lastUsedAtMs: String(lastUsedAtMs),
            tokenLifeMs: String(tokenLifeMs),
            expiresAtMs: String(expiresAtMs)
          },
          clear: [AWAITS_COLLECTION.field],
          keepUntilMs: expiresAtMs + KEEP_LISTED_MS
        })
        const [fields] = await Promise.all([change, noteUser({ ...authorization, expiresAtMs })])
        if (!fields) throw fault('unavailable', { detail: 'an authorization was lost while it was collected' })
        authorization = fromFields(userId, id, fields)
      }
      return authorization?.revokedAtMs === undefined ? authorization : undefined
    },

    async revoke(client, { request, decision }, how, by) {
      const { userId, authorizationId } = decision
      if (await authorizations.revoke(userId, authorizationId, how, by)) return
      // A record that is missing is made, so that the collection finds it revoked.
      await make(authorizationOf(client, request, decision, clock(), awaiting(clock())))
      await authorizations.revoke(userId, authorizationId, how, by)
    }
  }
}
