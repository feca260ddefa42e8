/**
 * How an authorization is revoked: what holds tokens is announced in the revocation feed first, then its record changes, then the
 * announcement is noted as finished. Whatever happens in between, nothing is revoked that the feed does not say, and what it says
 * becomes true: each instance finishes what others have left (revocation-sweep.ts).
 */
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

export interface Revoking {
  /** Revokes for good, and trims the list. Idempotent. Undefined if there is no such authorization. */
  revoke(userId: string, id: string): Promise<Authorization | undefined>
  /** Revokes some that have not ended. Resolves to how many, and whether there were any. */
  revokeSome(userId: string): Promise<{ revoked: number; isDone: boolean }>
  /** Finishes a revocation that was announced. Idempotent. */
  finish(userId: string, id: string): Promise<void>
}

export interface RevokingParts {
  records: RecordStore
  store: RevocationStore
  clients: Pick<Clients, 'find'>
  clock: Clock
}

export function createRevoking({ records, store, clients, clock }: RevokingParts): Revoking {
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

  async function revoke(userId: string, id: string): Promise<Authorization | undefined> {
    const nowMs = clock()
    const fields = await records.get(userId, id)
    let authorization = fields && fromFields(userId, id, fields)
    if (authorization?.awaitsCollection) {
      // Nobody has a token of it. By the condition, a collection that was faster is seen, and one that is slower finds it revoked.
      authorization = await mark(userId, id, nowMs, AWAITS_COLLECTION)
      if (authorization?.revokedAtMs !== undefined) return authorization
    }
    if (!authorization) return undefined
    if (hasEnded(authorization, nowMs)) return mark(userId, id, nowMs)
    const announced = announcementOf(authorization, nowMs)
    await store.announce([announced])
    const revoked = await mark(userId, id, nowMs)
    await store.finish([announced])
    return revoked
  }

  return {
    revoke,

    async revokeSome(userId) {
      const { ids } = await records.ids(userId, active)
      const nowMs = clock()
      const mark = { field: 'revokedAtMs', value: String(nowMs), clears: AWAITS_COLLECTION.field }
      const end = () => records.end(userId, ids, mark, nowMs + KEEP_LISTED_MS)
      // Without ids this waits for the replicas, which may not have heard yet what an earlier attempt has revoked.
      if (ids.length === 0) return { revoked: (await end()).length, isDone: true }
      const found = (await records.page(userId, active)).records
      const described = async (authorizationId: string): Promise<Announcement> => {
        // It may not be on the page any more, and there may be nobody who can read it.
        const fields = found.get(authorizationId) ?? (await records.get(userId, authorizationId).catch(() => undefined))
        if (fields) return announcementOf(fromFields(userId, authorizationId, fields), nowMs)
        return announcementOfUnread(userId, authorizationId, nowMs)
      }
      const announced = await Promise.all(ids.map(described))
      await store.announce(announced)
      const revoked = await end()
      await Promise.all([store.finish(announced), trim(userId)])
      return { revoked: revoked.length, isDone: false }
    },

    async finish(userId, id) {
      const nowMs = clock()
      // Until now it may have brought tokens, which live longer than what was announced.
      const announcement = await records.get(userId, id).then(
        (fields) => {
          const authorization = fields && fromFields(userId, id, fields)
          return authorization && !hasEnded(authorization, nowMs) ? announcementOf(authorization, nowMs) : undefined
        },
        () => announcementOfUnread(userId, id, nowMs)
      )
      if (announcement) await store.announce([announcement])
      await mark(userId, id, nowMs)
      await store.finish([{ userId, authorizationId: id }])
    }
  }
}
