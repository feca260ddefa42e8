/**
 * How an authorization is revoked: what holds tokens is announced in the revocation feed first, then its record changes, then the
 * announcement is noted as finished. Whatever happens in between, nothing is revoked that the feed does not say, and what it says
 * becomes true: each instance finishes what others have left.
 */
import type { Client, Clients } from '../clients/client.js'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import type { Condition, PageOptions, RecordStore } from '../records/record-store.js'
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
import { type Announcement, type RevocationStore, SWEPT_AT_ONCE } from './revocation-store.js'

/** How many are revoked in one step. */
const REVOKED_AT_ONCE = 50
const SWEEP_EVERY_MS = 5_000
/** By then whoever announced it has finished, or gave up: no request takes so long. */
const LEFT_AFTER_MS = 10_000
/** A sweep ends after so many steps, and goes on with the next one. */
const MOST_STEPS = 20

/** The time in which clocks differ and a request is under way: a token may be signed by so much after its revocation. */
const LATE_MS = 60_000

export interface Revoking {
  /** Revokes for good, and trims the list. Idempotent. Undefined if there is no such authorization. */
  revoke(userId: string, id: string): Promise<Authorization | undefined>
  /** Revokes some that have not ended. Resolves to how many, and whether there were any. */
  revokeSome(userId: string): Promise<{ revoked: number; isDone: boolean }>
  /** Finishes what was announced and left, and drops entries of the feed that have ended. */
  sweep(): Promise<void>
  /** Sweeps every few seconds, until `stop`, which waits for one that is under way. */
  start(): void
  stop(): Promise<void>
}

export interface RevokingParts {
  records: RecordStore
  store: RevocationStore
  clients: Pick<Clients, 'find'>
  clock: Clock
  failed(error: unknown): void
}

/**
 * When the last access token ends that anybody can have got of an authorization. If not all is known of it, its tokens may live as
 * long as itself: the client may have gone, or have had tokens of another life when they were signed.
 */
export function tokensEndAtMs(
  { expiresAtMs, tokenLifeMs, awaitsCollection }: Authorization,
  client: Client | undefined,
  nowMs: number
): number {
  const notedMs = awaitsCollection ? 0 : tokenLifeMs
  if (notedMs === undefined || !client) return expiresAtMs
  const endsAtMs = nowMs + Math.max(notedMs, client.accessTokenTtlSeconds * 1000) + LATE_MS
  // What awaits its collection ends at another time once it is collected.
  return awaitsCollection ? endsAtMs : Math.min(expiresAtMs, endsAtMs)
}

export function createRevoking({ records, store, clients, clock, failed }: RevokingParts): Revoking {
  const active = {
    order: 'last-to-end',
    fading: { ...ENDED, most: 0 },
    most: REVOKED_AT_ONCE
  } as const satisfies PageOptions
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined

  /** Some of the ended ones that are not listed any more go with each one that ends. */
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

  const announcementOf = (authorization: Authorization, nowMs: number): Announcement => ({
    userId: authorization.userId,
    authorizationId: authorization.id,
    revokedAtMs: nowMs,
    untilMs: tokensEndAtMs(authorization, clients.find(authorization.clientId), nowMs)
  })

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

  async function sweep(): Promise<void> {
    for (let step = 0; step < MOST_STEPS; step++) {
      const { unfinished, dropped } = await store.sweep(LEFT_AFTER_MS)
      for (const { userId, authorizationId } of unfinished) {
        try {
          await mark(userId, authorizationId, clock())
          await store.finish([{ userId, authorizationId }])
        } catch (error) {
          // One that cannot be revoked now keeps nobody from revoking the others, and is tried again.
          if (!isFault(error)) throw error
        }
      }
      if (Math.max(unfinished.length, dropped) < SWEPT_AT_ONCE) return
    }
  }

  async function sweepNow(): Promise<void> {
    try {
      await sweep()
    } catch (error) {
      // An unreachable storage is told elsewhere, and asked again.
      if (!isFault(error)) failed(error)
    }
  }

  return {
    revoke,

    async revokeSome(userId) {
      const { ids } = await records.ids(userId, active)
      const nowMs = clock()
      const keepUntilMs = nowMs + KEEP_LISTED_MS
      const field = { field: 'revokedAtMs', value: String(nowMs), clears: AWAITS_COLLECTION.field }
      // Without ids this waits for the replicas, which may not have heard yet what an earlier attempt has revoked.
      if (ids.length === 0)
        return { revoked: (await records.end(userId, ids, field, keepUntilMs)).length, isDone: true }
      const found = (await records.page(userId, active)).records
      const announced = ids.map((authorizationId) => {
        const fields = found.get(authorizationId)
        if (fields) return announcementOf(fromFields(userId, authorizationId, fields), nowMs)
        // It cannot be read, or was not on the page any more: no authorization lives longer than its record without the time it is listed.
        return { userId, authorizationId, revokedAtMs: nowMs, untilMs: nowMs + LONGEST_LIFE_MS }
      })
      await store.announce(announced)
      const revoked = await records.end(userId, ids, field, keepUntilMs)
      await Promise.all([store.finish(announced), trim(userId)])
      return { revoked: revoked.length, isDone: false }
    },

    sweep,

    start() {
      timer ??= setInterval(() => {
        underWay ??= sweepNow().finally(() => {
          underWay = undefined
        })
      }, SWEEP_EVERY_MS).unref()
    },

    async stop() {
      clearInterval(timer)
      await underWay
    }
  }
}
