/** The deliveries of an endpoint that wait or are under way, in their order, and which of them may be sent now. */
import { type Delivery, orderKeysOf } from './delivery.js'

export interface WaitingDelivery extends Delivery {
  /** Whether the storage has it, so that the cursor may go past it. */
  isStored: boolean
  isUnderWay: boolean
}

export type WaitingList = ReturnType<typeof createWaitingList>

export function createWaitingList() {
  const all = new Map<string, WaitingDelivery>()
  /** Put together once, because the list is gone over after every attempt. */
  const orderKeys = new WeakMap<WaitingDelivery, string[]>()
  let lastOrder = 0

  return {
    size: () => all.size,
    all: () => all.values(),
    get: (id: string) => all.get(id),
    remove: (id: string) => all.delete(id),

    /** Adds a delivery at the end, unless it is there. One that the storage holds keeps its order. */
    add(delivery: Omit<Delivery, 'order'> & { order?: number }, isStored: boolean): WaitingDelivery | undefined {
      if (all.has(delivery.id)) return undefined
      lastOrder = Math.max(lastOrder + 1, delivery.order ?? 0)
      const waiting = { ...delivery, order: lastOrder, isStored, isUnderWay: false }
      all.set(waiting.id, waiting)
      orderKeys.set(waiting, orderKeysOf(waiting.event))
      return waiting
    },

    /**
     * What may be sent now, so many at most, and what waits for a reason that may last: behind a delivery that failed, and not stored
     * yet. One goes over the list as it is, which is short.
     */
    look(nowMs: number, most: number): { due: WaitingDelivery[]; behind: WaitingDelivery[] } {
      const due: WaitingDelivery[] = []
      const behind: WaitingDelivery[] = []
      const taken = new Set<string>()
      const failing = new Set<string>()
      for (const waiting of all.values()) {
        const keys = orderKeys.get(waiting) ?? []
        const isFree = keys.every((key) => !taken.has(key))
        const isBehind = keys.some((key) => failing.has(key))
        if (isFree && !waiting.isUnderWay && waiting.nextAtMs <= nowMs && due.length < most) due.push(waiting)
        if (isBehind && !waiting.isStored) behind.push(waiting)
        for (const key of keys) {
          taken.add(key)
          if (isBehind || (waiting.isStored && waiting.attempts > 0)) failing.add(key)
        }
      }
      return { due, behind }
    },

    /** The time of the oldest event; undefined if nothing waits. */
    oldestAtMs(): number | undefined {
      let oldest: number | undefined
      for (const { event } of all.values()) if (oldest === undefined || event.atMs < oldest) oldest = event.atMs
      return oldest
    }
  }
}
