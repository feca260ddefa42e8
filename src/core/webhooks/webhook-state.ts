/**
 * What the storage keeps of the webhooks, as records: how far each endpoint has come in the trail, what waits for its next attempt, and
 * what was given up. Every write of a cursor is a compare-and-set on the fencing token of the lead, so that a leader that was paused
 * cannot move it back. Deliveries are written before the cursor goes past them; one that is written twice is sent twice, no more.
 */
import type { Clock } from '../clock.js'
import { readAll } from '../records/batches.js'
import { fieldsLike, NumberText, readable, Text, TimeText } from '../records/readable.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { type Cursor, type Gap, readGaps } from './cursor.js'
import { type Delivery, type FailedDelivery, readDelivery, readFailedDelivery } from './delivery.js'

/** How many failed deliveries of an endpoint are kept, the newest ones, and for how long. */
export const MOST_FAILED = 1_000
export const FAILED_KEPT_MS = 30 * 86_400_000

/** No failed delivery lives longer, so that all are counted. */
const ALL_FAILED = { withinMs: 2 * FAILED_KEPT_MS, most: MOST_FAILED }
/** Those of this very millisecond make room as well. */
const OF_THIS_MOMENT_MS = -1

export interface EndpointState {
  /** Undefined for an endpoint to which nobody has delivered. */
  cursor: Cursor | undefined
  /** Since when nothing is sent, because the receiver answered 410. */
  stoppedAtMs: number | undefined
  gaps: Gap[]
  /** Changes with everything that an operator does. */
  wake: string
}

export type Change =
  | { kind: 'cursor'; cursor: Cursor }
  | { kind: 'gaps'; gaps: readonly Gap[] }
  | { kind: 'stop'; atMs: number }
  /** Keeps a delivery that waits for the first time, and what has become of it. */
  | { kind: 'hold'; delivery: Delivery }
  | { kind: 'rehold'; delivery: Delivery }
  /** A delivery that waited is delivered. */
  | { kind: 'drop'; deliveryId: string }
  /** A delivery is given up. */
  | { kind: 'fail'; delivery: FailedDelivery }

export type WebhookState = ReturnType<typeof createWebhookState>

const ENDPOINTS = 'endpoints'
const heldOf = (endpointId: string) => `held ${endpointId}`
const failedOf = (endpointId: string) => `failed ${endpointId}`

const isState = fieldsLike(
  { token: NumberText },
  { leader: Text, cursor: Text, cursorAtMs: TimeText, stoppedAtMs: TimeText, gaps: Text, wake: Text }
)

/** Every method rejects with `unavailable` when the storage cannot answer. */
export function createWebhookState(stored: RecordStore, clock: Clock) {
  const states = readable(stored, isState)
  const heldRecords = readable(stored, ({ delivery }) => readDelivery(delivery) !== undefined)
  const failedRecords = readable(stored, ({ delivery }) => readFailedDelivery(delivery) !== undefined)
  const forEver = () => clock() + FOR_EVER_MS

  async function writeOne(endpointId: string, token: number, change: Change): Promise<boolean> {
    const held = heldOf(endpointId)
    if (change.kind === 'hold') await stored.create(held, change.delivery.id, toFields(change.delivery), forEver())
    else if (change.kind === 'rehold') await stored.change(held, change.delivery.id, { set: toFields(change.delivery) })
    else if (change.kind === 'drop') await stored.delete(held, change.deliveryId)
    else if (change.kind === 'fail') {
      const fields = { ...toFields(change.delivery), createdAtMs: `${clock()}` }
      await stored.create(failedOf(endpointId), change.delivery.id, fields, clock() + FAILED_KEPT_MS)
      await stored.delete(held, change.delivery.id)
      await stored.trim(failedOf(endpointId), ALL_FAILED, OF_THIS_MOMENT_MS)
    } else {
      const set = placeOf(change)
      const onlyIf = { field: 'token', is: `${token}` }
      return (await states.change(ENDPOINTS, endpointId, { onlyIf, set }))?.token === `${token}`
    }
    return true
  }

  return {
    /** Takes the endpoint over: resolves to a fencing token that is greater than all before. */
    async claim(endpointId: string, leader: string): Promise<number> {
      for (;;) {
        const { token = '0' } = await states.create(ENDPOINTS, endpointId, { token: '0' }, forEver())
        const set = { token: `${Number(token) + 1}`, leader }
        const claimed = await states.change(ENDPOINTS, endpointId, { onlyIf: { field: 'token', is: token }, set })
        if (claimed?.leader === leader && claimed.token === set.token) return Number(set.token)
      }
    },

    /** Makes changes in their order. 'stale' if another leader has claimed the endpoint since this token was given. */
    async write(endpointId: string, token: number, changes: readonly Change[]): Promise<'written' | 'stale'> {
      for (const change of changes) if (!(await writeOne(endpointId, token, change))) return 'stale'
      return 'written'
    },

    async state(endpointId: string): Promise<EndpointState> {
      const { cursor, cursorAtMs, stoppedAtMs, gaps, wake = '' } = (await states.get(ENDPOINTS, endpointId)) ?? {}
      return {
        cursor: cursorAtMs === undefined ? undefined : { eventId: cursor || undefined, atMs: Number(cursorAtMs) },
        stoppedAtMs: stoppedAtMs === undefined ? undefined : Number(stoppedAtMs),
        gaps: readGaps(gaps) ?? [],
        wake
      }
    },

    /** What waits, in its order. */
    async held(endpointId: string): Promise<Delivery[]> {
      const found = await readAll(heldRecords.page, heldOf(endpointId))
      const deliveries = [...found.values()].flatMap(({ delivery }) => readDelivery(delivery) ?? [])
      return deliveries.sort((a, b) => a.order - b.order)
    },

    /** What was given up, those that failed first at first. */
    async failed(endpointId: string): Promise<FailedDelivery[]> {
      const found = await readAll(failedRecords.page, failedOf(endpointId))
      return [...found.values()].flatMap(({ delivery }) => readFailedDelivery(delivery) ?? [])
    },

    counts: (endpointId: string) => countsOf(stored, [heldOf(endpointId), failedOf(endpointId)]),

    /** Has a failed delivery sent again, after what waits. Resolves to whether there is such a one. */
    async resend(endpointId: string, deliveryId: string): Promise<boolean> {
      const kept = await failedRecords.get(failedOf(endpointId), deliveryId)
      const failed = readFailedDelivery(kept?.delivery)
      if (!failed) return false
      const { failedAtMs, ...delivery } = failed
      const nowMs = clock()
      // A time is a greater number than the order of anything that was taken up before it.
      const anew = { ...delivery, takenAtMs: nowMs, nextAtMs: nowMs, attempts: 0, order: nowMs }
      await stored.create(heldOf(endpointId), deliveryId, toFields(anew), forEver())
      await stored.delete(failedOf(endpointId), deliveryId)
      return true
    },

    /** Tells the deliverer to look what has changed, and lets an endpoint go on that was stopped if that is wanted. */
    async wake(endpointId: string, mark: string, isResumed: boolean): Promise<void> {
      await states.change(ENDPOINTS, endpointId, { set: { wake: mark }, clear: isResumed ? ['stoppedAtMs'] : [] })
    }
  }
}

const toFields = (delivery: Delivery): Fields => ({ delivery: JSON.stringify(delivery) })

function placeOf(change: Extract<Change, { kind: 'cursor' | 'gaps' | 'stop' }>): Fields {
  if (change.kind === 'gaps') return { gaps: JSON.stringify(change.gaps) }
  if (change.kind === 'stop') return { stoppedAtMs: `${change.atMs}` }
  return { cursor: change.cursor.eventId ?? '', cursorAtMs: `${change.cursor.atMs}` }
}

async function countsOf(records: RecordStore, parents: [string, string]): Promise<{ waiting: number; failed: number }> {
  const pages = parents.map((parent) => records.ids(parent, { order: 'first-to-end', most: 1 }))
  const [held, failed] = await Promise.all(pages)
  return { waiting: held?.lasting ?? 0, failed: failed?.lasting ?? 0 }
}
