/** Limits in memory: windows with a count, and attempts that come free one by one. */
import type { Clock } from '../../core/clock.js'
import { comesAfter, type Hit, type LimitStore } from '../../core/limits/limits.js'
import type { ReadTogether } from '../../core/records/record-store.js'
import type { Sweeps } from './sweeps.js'

export function createMemoryLimitStore(clock: Clock, sweeps: Sweeps, stores: ReadTogether): LimitStore {
  const windows = new Map<string, { count: number; resetsAtMs: number }>()
  const attempts = new Map<string, Map<string, number>>()

  sweeps.add({
    sweep() {
      const nowMs = clock()
      for (const [key, { resetsAtMs }] of windows) if (resetsAtMs <= nowMs) windows.delete(key)
      for (const key of attempts.keys()) taken(key, nowMs)
    },
    kept: () => windows.size + attempts.size
  })

  /** The taken attempts of a key: their ids and when they come free, oldest first. Drops those that have come free. */
  function taken(key: string, nowMs: number): Map<string, number> {
    const mine = attempts.get(key) ?? new Map<string, number>()
    for (const [id, freeAtMs] of mine) if (freeAtMs <= nowMs) mine.delete(id)
    if (mine.size === 0) attempts.delete(key)
    return mine
  }

  function hit(key: string, windowMs: number): Hit {
    const nowMs = clock()
    const open = windows.get(key)
    const window = open && open.resetsAtMs > nowMs ? open : { count: 0, resetsAtMs: nowMs + windowMs }
    window.count += 1
    windows.set(key, window)
    return { count: window.count, resetsInMs: window.resetsAtMs - nowMs }
  }

  return {
    hit: async (key, windowMs) => hit(key, windowMs),

    async readAndHit(wanted, window) {
      const read = wanted.map(({ of, parent, id }) => stores[of].get(parent, id))
      return { hit: window && hit(window.key, window.lengthMs), records: await Promise.all(read) }
    },

    async take(key, attemptId, limit, windowMs) {
      const nowMs = clock()
      const mine = taken(key, nowMs)
      if (mine.has(attemptId)) return undefined
      const wait = waitFor(mine, limit, nowMs)
      if (!wait) attempts.set(key, mine.set(attemptId, nowMs + windowMs))
      return wait
    },

    async look(key, limit) {
      const nowMs = clock()
      return waitFor(taken(key, nowMs), limit, nowMs)
    },

    async taken(key, windowMs, { after, most }) {
      const mine = [...taken(key, clock())].map(([id, freeAtMs]) => ({ id, atMs: freeAtMs - windowMs }))
      const inOrder = mine.sort((a, b) => (comesAfter(a, b) ? 1 : -1))
      const rest = inOrder.filter((one) => !after || comesAfter(one, after))
      return { attempts: rest.slice(0, most), count: mine.length }
    },

    async giveBack(key, attemptId) {
      attempts.get(key)?.delete(attemptId)
      if (attempts.get(key)?.size === 0) attempts.delete(key)
    }
  }
}

function waitFor(mine: ReadonlyMap<string, number>, limit: number, nowMs: number): { freeInMs: number } | undefined {
  return mine.size >= limit ? { freeInMs: Math.min(...mine.values()) - nowMs } : undefined
}
