/** Locks in memory. They expire by a monotonic clock, not the injected one, as those of Redis do not obey it either. */
import type { LockStore } from '../../core/records/lock-store.js'

export function createMemoryLockStore(): LockStore {
  const locks = new Map<string, { holder: string; untilMs: number }>()

  return {
    async acquire(name, holder, forMs) {
      const nowMs = performance.now()
      const held = locks.get(name)
      if (held && held.untilMs > nowMs && held.holder !== holder) return false
      locks.set(name, { holder, untilMs: nowMs + forMs })
      return true
    },

    async release(name, holder) {
      if (locks.get(name)?.holder === holder) locks.delete(name)
    }
  }
}
