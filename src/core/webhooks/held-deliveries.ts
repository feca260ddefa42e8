/**
 * The deliveries of an endpoint that wait in the storage. Each belongs to the leader whose fencing token it has: a new leader takes all
 * over one by one, and from then on an older one can neither change nor delete them. All that one can still do is to create one that is
 * not there, which is then sent once more.
 */
import type { Clock } from '../clock.js'
import { batchesOf } from '../records/batches.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { type Delivery, readDelivery } from './delivery.js'

/** The parent of what waits of one endpoint. */
export const heldOf = (endpointId: string) => `held ${endpointId}`

export const toFields = (delivery: Delivery): Fields => ({ delivery: JSON.stringify(delivery) })

/** `stored` has what nobody has looked at; what `readables` lists can be read. */
export function createHeld(stored: RecordStore, readables: RecordStore, clock: Clock) {
  const forEver = () => clock() + FOR_EVER_MS

  /** Makes a record this leader's, as it is by then, if it is still there. 'stale' if it is a newer leader's. */
  async function own(parent: string, id: string, token: number, kept: Fields): Promise<Fields | undefined | 'stale'> {
    const mine = { token: `${token}` }
    let now: Fields | undefined = kept
    while (now && now.token !== mine.token) {
      const { token: other } = now
      if (Number(other) > token) return 'stale'
      // What an operator put there is nobody's.
      const change = other === undefined ? { setOnce: mine } : { onlyIf: { field: 'token', is: other }, set: mine }
      now = await stored.change(parent, id, change)
    }
    return now
  }

  return {
    /**
     * Keeps a delivery as it is now. 'stale' if it is a newer leader's. 'resent' if an operator has sent it again since it was so: what
     * is there stays as it is, and waits for the next look if no leader has it.
     */
    async hold(endpointId: string, token: number, delivery: Delivery): Promise<'held' | 'resent' | 'stale'> {
      const parent = heldOf(endpointId)
      const set: Fields = { ...toFields(delivery), token: `${token}` }
      const found = await stored.create(parent, delivery.id, set, forEver())
      if (Number(found.token) > token) return 'stale'
      if ((readDelivery(found.delivery)?.takenAtMs ?? 0) > delivery.takenAtMs) return 'resent'
      const kept = await own(parent, delivery.id, token, found)
      if (kept === 'stale') return 'stale'
      if (!kept || kept.delivery === set.delivery) return 'held'
      const changed = await stored.change(parent, delivery.id, { onlyIf: { field: 'token', is: `${token}` }, set })
      return changed === undefined || changed.token === set.token ? 'held' : 'stale'
    },

    /** Deletes a delivery, if it is this leader's. */
    drop: (endpointId: string, token: number, deliveryId: string) =>
      stored.delete(heldOf(endpointId), deliveryId, { field: 'token', is: `${token}` }),

    /**
     * Makes everything that waits this leader's. Resolves to what was not so before, in its order. `begun` is the leader's: what a call
     * that rejected had begun with may be its own since, and counts as not so before.
     */
    async takeOver(endpointId: string, token: number, begun = new Set<string>()): Promise<Delivery[] | 'stale'> {
      const parent = heldOf(endpointId)
      const taken: Delivery[] = []
      for await (const { records } of batchesOf(readables.page, parent, { order: 'first-to-end' })) {
        const others = [...records].filter(([id, fields]) => fields.token !== `${token}` || begun.has(id))
        for (const [id] of others) begun.add(id)
        const owned = await Promise.all(others.map(([id, fields]) => own(parent, id, token, fields)))
        for (const kept of owned) {
          if (kept === 'stale') return 'stale'
          taken.push(...[readDelivery(kept?.delivery) ?? []].flat())
        }
      }
      begun.clear()
      return taken.sort((a, b) => a.order - b.order)
    },

    /** Puts a delivery there that the next look of whoever leads takes over. Resolves to what is there: a leader's has a token. */
    put: (endpointId: string, delivery: Delivery) =>
      stored.create(heldOf(endpointId), delivery.id, toFields(delivery), forEver())
  }
}
