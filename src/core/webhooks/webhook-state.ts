/**
 * What the storage keeps of the webhooks, as records: how far each endpoint has come in the trail, what waits for its next attempt, and
 * what was given up. Every write of a cursor is a compare-and-set on the fencing token of the lead, and so is every change of what waits,
 * so that a leader that was paused can take nothing back. Deliveries are written before the cursor goes past them.
 */
import type { Clock } from '../clock.js'
import { readAll } from '../records/batches.js'
import { fieldsLike, NumberText, numberOf, readable, Text, TimeText } from '../records/readable.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { type Cursor, type Gap, readGaps } from './cursor.js'
import { type Delivery, type FailedDelivery, readDelivery, readFailedDelivery } from './delivery.js'
import { createHeld, heldOf } from './held-deliveries.js'
import { createChanges, ENDPOINTS, failedOf } from './webhook-changes.js'

export interface EndpointState {
  /** Undefined for an endpoint to which nobody has delivered. */
  cursor: Cursor | undefined
  /** Since when nothing is sent, because the receiver answered 410. */
  stoppedAtMs: number | undefined
  /** When an operator let it go on: from then on what waits has its three days anew. */
  resumedAtMs: number | undefined
  gaps: Gap[]
  /** Changes with everything that an operator does. */
  wake: string
}

export type WebhookState = ReturnType<typeof createWebhookState>

const isState = fieldsLike(
  { token: NumberText },
  {
    ...{ leader: Text, cursor: Text, cursorAtMs: TimeText, gaps: Text, wake: Text },
    ...{ stoppedAtMs: TimeText, resumedAtMs: TimeText }
  }
)

/** Every method rejects with `unavailable` when the storage cannot answer. */
export function createWebhookState(stored: RecordStore, clock: Clock) {
  const states = readable(stored, isState)
  const heldRecords = readable(stored, ({ delivery }) => readDelivery(delivery) !== undefined)
  const failedRecords = readable(stored, ({ delivery }) => readFailedDelivery(delivery) !== undefined)
  const held = createHeld(stored, heldRecords, clock)
  const { write } = createChanges(stored, states, held, clock)

  return {
    /**
     * Takes the endpoint over: resolves to a fencing token that is greater than all before. It is a time if that is greater, so that no
     * token comes again after a failover that has lost the last one.
     */
    async claim(endpointId: string, leader: string): Promise<number> {
      for (;;) {
        const { token = '0' } = await states.create(ENDPOINTS, endpointId, { token: '0' }, clock() + FOR_EVER_MS)
        const set = { token: `${Math.max(Number(token) + 1, Math.floor(clock()))}`, leader }
        const claimed = await states.change(ENDPOINTS, endpointId, { onlyIf: { field: 'token', is: token }, set })
        if (claimed?.leader === leader && claimed.token === set.token) return Number(set.token)
      }
    },

    write,
    takeOver: held.takeOver,

    async state(endpointId: string): Promise<EndpointState> {
      const kept = (await states.get(ENDPOINTS, endpointId)) ?? {}
      const { cursor, cursorAtMs, stoppedAtMs, resumedAtMs, gaps, wake = '' } = kept
      return {
        cursor: cursorAtMs === undefined ? undefined : { eventId: cursor || undefined, atMs: Number(cursorAtMs) },
        stoppedAtMs: numberOf(stoppedAtMs),
        resumedAtMs: numberOf(resumedAtMs),
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

    /** Has a failed delivery sent again, after what waits. Resolves to whether there is such a one that waits no more. */
    async resend(endpointId: string, deliveryId: string): Promise<boolean> {
      const kept = await failedRecords.get(failedOf(endpointId), deliveryId)
      const failed = readFailedDelivery(kept?.delivery)
      if (!failed) return false
      const { failedAtMs, ...delivery } = failed
      const nowMs = clock()
      // A time is a greater number than the order of anything that was taken up before it.
      const anew = { ...delivery, takenAtMs: nowMs, nextAtMs: nowMs, attempts: 0, order: nowMs }
      const { token } = await held.put(endpointId, anew)
      // A leader that is giving it up has not dropped it yet, and will: what is listed as failed is the only copy then.
      if (token !== undefined) return false
      await stored.delete(failedOf(endpointId), deliveryId)
      return true
    },

    /** Tells the deliverer to look what has changed, and lets an endpoint go on that was stopped if that is wanted. */
    async wake(endpointId: string, mark: string, isResumed: boolean): Promise<void> {
      const resumed = { set: { wake: mark, resumedAtMs: `${clock()}` }, clear: ['stoppedAtMs'] }
      await states.change(ENDPOINTS, endpointId, isResumed ? resumed : { set: { wake: mark } })
    }
  }
}

async function countsOf(records: RecordStore, parents: [string, string]): Promise<{ waiting: number; failed: number }> {
  const pages = parents.map((parent) => records.ids(parent, { order: 'first-to-end', most: 1 }))
  const [held, failed] = await Promise.all(pages)
  return { waiting: held?.lasting ?? 0, failed: failed?.lasting ?? 0 }
}
