/** What a deliverer changes in the storage, and in which order it must: what waits is written before a cursor goes past it. */
import type { Clock } from '../clock.js'
import type { Fields, RecordStore } from '../records/record-store.js'
import type { Cursor, Gap } from './cursor.js'
import type { Delivery, FailedDelivery } from './delivery.js'
import { type createHeld, toFields } from './held-deliveries.js'

/** How many failed deliveries of an endpoint are kept, the newest ones, and for how long. */
export const MOST_FAILED = 1_000
export const FAILED_KEPT_MS = 30 * 86_400_000

/** No failed delivery lives longer, so that all are counted. */
const ALL_FAILED = { withinMs: 2 * FAILED_KEPT_MS, most: MOST_FAILED }
/** Those of this very millisecond make room as well. */
const OF_THIS_MOMENT_MS = -1

/** How far an endpoint has come. */
type PlaceChange =
  | { kind: 'cursor'; cursor: Cursor }
  | { kind: 'gaps'; gaps: readonly Gap[] }
  | { kind: 'stop'; atMs: number }

type DeliveryChange =
  /** Keeps a delivery that waits, with what has become of it. */
  | { kind: 'hold'; delivery: Delivery }
  /** A delivery that waited is delivered. */
  | { kind: 'drop'; delivery: Pick<Delivery, 'id'> }
  /** A delivery is given up. */
  | { kind: 'fail'; delivery: FailedDelivery }

export type Change = PlaceChange | DeliveryChange

/** The parents of the records of endpoints, and of what was given up of one. */
export const ENDPOINTS = 'endpoints'
export const failedOf = (endpointId: string) => `failed ${endpointId}`

const isOfDelivery = (change: Change): change is DeliveryChange => 'delivery' in change

/** `states` are the records of endpoints, among all that are stored. */
export function createChanges(
  stored: RecordStore,
  states: RecordStore,
  held: ReturnType<typeof createHeld>,
  clock: Clock
) {
  /** Each of these resolves to whether this leader is still the newest one, as far as it has seen. */
  async function setPlace(endpointId: string, token: number, set: Fields): Promise<boolean> {
    const onlyIf = { field: 'token', is: `${token}` }
    return (await states.change(ENDPOINTS, endpointId, { onlyIf, set }))?.token === onlyIf.is
  }

  async function fail(endpointId: string, token: number, delivery: FailedDelivery): Promise<boolean> {
    const { failedAtMs, ...waited } = delivery
    const kept = await held.hold(endpointId, token, waited)
    // A write that is repeated meets what was sent again after the first one had listed it: that is given up no more.
    if (kept !== 'held') return kept === 'resent'
    const fields = { ...toFields(delivery), createdAtMs: `${clock()}` }
    await stored.create(failedOf(endpointId), delivery.id, fields, clock() + FAILED_KEPT_MS)
    await held.drop(endpointId, token, delivery.id)
    await stored.trim(failedOf(endpointId), ALL_FAILED, OF_THIS_MOMENT_MS)
    return true
  }

  async function writeOne(endpointId: string, token: number, change: Change): Promise<boolean> {
    if (!isOfDelivery(change)) return setPlace(endpointId, token, placeOf(change))
    if (change.kind === 'fail') return fail(endpointId, token, change.delivery)
    if (change.kind === 'hold') return (await held.hold(endpointId, token, change.delivery)) !== 'stale'
    await held.drop(endpointId, token, change.delivery.id)
    return true
  }

  return {
    /** Makes changes in their order. 'stale' if another leader has claimed the endpoint since this token was given. */
    async write(endpointId: string, token: number, changes: readonly Change[]): Promise<'written' | 'stale'> {
      // A place is a compare-and-set on this token. Before deliveries are written it is looked at, so that what an old leader does is refused.
      if (changes.some(isOfDelivery) && !(await setPlace(endpointId, token, {}))) return 'stale'
      for (const together of groupsOf(changes)) {
        const written = await Promise.all(together.map((change) => writeOne(endpointId, token, change)))
        if (written.includes(false)) return 'stale'
      }
      return 'written'
    }
  }
}

/** What may be written at once: changes of different deliveries. Of one delivery, and with a place, their order counts. */
function groupsOf(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = []
  const ids = new Set<string>()
  for (const change of changes) {
    const id = isOfDelivery(change) ? change.delivery.id : undefined
    if (id === undefined || ids.has(id) || ids.size === 0) {
      groups.push([])
      ids.clear()
    }
    groups.at(-1)?.push(change)
    if (id !== undefined) ids.add(id)
  }
  return groups
}

function placeOf(change: PlaceChange): Fields {
  if (change.kind === 'gaps') return { gaps: JSON.stringify(change.gaps) }
  if (change.kind === 'stop') return { stoppedAtMs: `${change.atMs}` }
  return { cursor: change.cursor.eventId ?? '', cursorAtMs: `${change.cursor.atMs}` }
}
