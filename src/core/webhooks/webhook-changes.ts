/** What a deliverer changes in the storage, and in which order it must: what waits is written before a cursor goes past it. */
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Cursor, Gap } from './cursor.js'
import type { Delivery, FailedDelivery } from './delivery.js'

/** How many failed deliveries of an endpoint are kept, the newest ones, and for how long. */
export const MOST_FAILED = 1_000
export const FAILED_KEPT_MS = 30 * 86_400_000

/** No failed delivery lives longer, so that all are counted. */
const ALL_FAILED = { withinMs: 2 * FAILED_KEPT_MS, most: MOST_FAILED }
/** Those of this very millisecond make room as well. */
const OF_THIS_MOMENT_MS = -1

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

/** The parents of what is kept: of all endpoints, and of one what waits and what was given up. */
export const ENDPOINTS = 'endpoints'
export const heldOf = (endpointId: string) => `held ${endpointId}`
export const failedOf = (endpointId: string) => `failed ${endpointId}`

/** `states` are the records of endpoints, among all that are stored. */
export function createChanges(stored: RecordStore, states: RecordStore, clock: Clock) {
  async function writeOne(endpointId: string, token: number, change: Change): Promise<boolean> {
    const held = heldOf(endpointId)
    if (change.kind === 'hold')
      await stored.create(held, change.delivery.id, toFields(change.delivery), clock() + FOR_EVER_MS)
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
    /** Makes changes in their order. 'stale' if another leader has claimed the endpoint since this token was given. */
    async write(endpointId: string, token: number, changes: readonly Change[]): Promise<'written' | 'stale'> {
      for (const change of changes) if (!(await writeOne(endpointId, token, change))) return 'stale'
      return 'written'
    }
  }
}

export const toFields = (delivery: Delivery): Fields => ({ delivery: JSON.stringify(delivery) })

function placeOf(change: Extract<Change, { kind: 'cursor' | 'gaps' | 'stop' }>): Fields {
  if (change.kind === 'gaps') return { gaps: JSON.stringify(change.gaps) }
  if (change.kind === 'stop') return { stoppedAtMs: `${change.atMs}` }
  return { cursor: change.cursor.eventId ?? '', cursorAtMs: `${change.cursor.atMs}` }
}
