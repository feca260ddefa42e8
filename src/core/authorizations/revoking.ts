/**
 * How an authorization is revoked: what holds tokens is announced in the revocation feed first, then its record changes, then the
 * announcement is noted as finished. The audit trail is told before the record changes, for afterwards nobody could know whether it
 * was. Whatever happens in between, nothing is revoked that the feed does not say, and what it says
 * becomes true: each instance finishes what others have left (revocation-sweep.ts).
 */
import type { AuditTrail } from '../audit/audit-trail.js'
import { BY_ITSELF, type Origin, type Told } from '../audit/event.js'
import type { Clients } from '../clients/clients.js'
import type { Clock } from '../clock.js'
import type { Condition, PageOptions, RecordStore } from '../records/record-store.js'
import { announcementFor } from './announcement.js'
import {
  type Authorization,
  AWAITS_COLLECTION,
  ENDED,
  fromFields,
  hasEnded,
  KEEP_LISTED_MS,
  LONGEST_LIFE_MS,
  SPARE_MS
} from './authorization.js'
import type { Announcement, RevocationStore } from './revocation-store.js'

/** How many are revoked in one step. */
const REVOKED_AT_ONCE = 50

/**
 * What led to a revocation: its user (for the trail: its owner), the operator, its client by a token or by the grant code, or a
 * refresh token or a code that was used twice.
 */
export type RevokedBy = 'owner' | 'operator' | 'token' | 'replay' | 'code'

export interface Revoking {
  /** Revokes for good, and trims the list. Idempotent. Undefined if there is no such authorization. */
  revoke(userId: string, id: string, how: RevokedBy, by: Origin): Promise<Authorization | undefined>
  /** Revokes some that have not ended. Resolves to how many, and whether there were any. */
  revokeSome(userId: string, how: RevokedBy, by: Origin): Promise<{ revoked: number; isDone: boolean }>
  /** Finishes a revocation that was announced. Idempotent. */
  finish(userId: string, id: string): Promise<void>
}

export interface RevokingParts {
  records: RecordStore
  store: RevocationStore
  clients: Pick<Clients, 'find'>
  clock: Clock
  audit: AuditTrail
}

export function createRevoking({ records, store, clients, clock, audit }: RevokingParts): Revoking {
  const active = {
    order: 'last-to-end',
    fading: { ...ENDED, most: 0 },
    most: REVOKED_AT_ONCE
  } as const satisfies PageOptions

  /** Some that ended and are not listed any more go with each one that ends. */
  const trim = (userId: string) => records.trim(userId, ENDED, SPARE_MS)

  async function mark(userId: string, id: string, nowMs: number, onlyIf?: Condition) {
    const changes = {
      setOnce: { revokedAtMs: String(nowMs) },
      clear: [AWAITS_COLLECTION.field],
      keepAtMostUntilMs: nowMs + KEEP_LISTED_MS,
      ...(onlyIf && { onlyIf })
    }
    // Both are asked for in one turn, so that the trimming costs no further round trip.
    const [fields] = await Promise.all([records.change(userId, id, changes), trim(userId)])
    return fields && fromFields(userId, id, fields)
  }

  const announcementOf = (authorization: Authorization, nowMs: number) =>
    announcementFor(authorization, clients.find(authorization.clientId), nowMs)

  /** What nobody can read now may bring tokens for the longest life that there is. */
  function announcementOfUnread(userId: string, authorizationId: string, nowMs: number): Announcement {
    return { userId, authorizationId, revokedAtMs: nowMs, untilMs: nowMs + LONGEST_LIFE_MS }
  }

  async function revoke(userId: string, id: string, how: RevokedBy, by: Origin): Promise<Authorization | undefined> {
    const nowMs = clock()
    const fields = await records.get(userId, id)
    let authorization = fields && fromFields(userId, id, fields)
    if (!authorization) return undefined
    const told = toldOf(userId, id, authorization.clientId, how, by)
    if (authorization.awaitsCollection) {
      await audit.tell(told)
      // Nobody has a token of it. By the condition, a collection that was faster is seen, and one that is slower finds it revoked.
      authorization = await mark(userId, id, nowMs, AWAITS_COLLECTION)
      if (authorization?.revokedAtMs !== undefined) return authorization
    }
    if (!authorization) return undefined
    if (hasEnded(authorization, nowMs)) {
      if (authorization.revokedAtMs === undefined) await audit.tell(told)
      return mark(userId, id, nowMs)
    }
    const announced = announcementOf(authorization, nowMs)
    await store.announce([announced])
    await audit.tell(told)
    const revoked = await mark(userId, id, nowMs)
    await store.finish([announced])
    return revoked
  }

  return {
    revoke,

    async revokeSome(userId, how, by) {
      const { ids } = await records.ids(userId, active)
      const nowMs = clock()
      const ended = { field: 'revokedAtMs', value: String(nowMs), clears: AWAITS_COLLECTION.field }
      const end = () => records.end(userId, ids, ended, nowMs + KEEP_LISTED_MS)
      // Without ids this waits for the replicas, which may not have heard yet what an earlier attempt has revoked.
      if (ids.length === 0) return { revoked: (await end()).length, isDone: true }
      const found = (await records.page(userId, active)).records
      const described = async (id: string): Promise<{ announced: Announcement; told: Told }> => {
        // It may not be on the page any more, and there may be nobody who can read it.
        const fields = found.get(id) ?? (await records.get(userId, id).catch(() => undefined))
        const authorization = fields && fromFields(userId, id, fields)
        const told = toldOf(userId, id, authorization?.clientId, how, by)
        if (authorization) return { told, announced: announcementOf(authorization, nowMs) }
        return { told, announced: announcementOfUnread(userId, id, nowMs) }
      }
      const all = await Promise.all(ids.map(described))
      const announced = all.map((one) => one.announced)
      await store.announce(announced)
      await audit.tell(...all.map(({ told }) => told))
      const revoked = await end()
      await Promise.all([store.finish(announced), trim(userId)])
      return { revoked: revoked.length, isDone: false }
    },

    async finish(userId, id) {
      const nowMs = clock()
      // Until now it may have brought tokens, which live longer than what was announced.
      const { clientId, announcement } = await records.get(userId, id).then(
        (fields) => {
          const authorization = fields && fromFields(userId, id, fields)
          const isActive = authorization && !hasEnded(authorization, nowMs)
          return isActive ? { ...authorization, announcement: announcementOf(authorization, nowMs) } : NOTHING
        },
        () => ({ clientId: undefined, announcement: announcementOfUnread(userId, id, nowMs) })
      )
      if (announcement) {
        await store.announce([announcement])
        // Whoever began it may have told it, or not. One that cannot be finished is tried again and again, and told once.
        await audit.tellOnce(toldOf(userId, id, clientId, 'unfinished', BY_ITSELF))
      }
      await mark(userId, id, nowMs)
      await store.finish([{ userId, authorizationId: id }])
    }
  }
}

const NOTHING = { clientId: undefined, announcement: undefined }

/** `unfinished`: somebody began it, and it is not known who. */
function toldOf(
  userId: string,
  authorizationId: string,
  clientId: string | undefined,
  how: RevokedBy | 'unfinished',
  by: Origin
): Told {
  return { type: 'authorization.revoked', ...by, userId, clientId, authorizationId, detail: how }
}
