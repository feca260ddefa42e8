/** Locks and signing keys in memory. */
import { fault } from '../../core/fault.js'
import type { LockStore } from '../../core/records/record-store.js'
import type { SigningKeyStore, StoredSigningKey } from '../../core/tokens/signing-key.js'
import type { Sweeps } from './sweeps.js'

/** Locks expire by a monotonic clock, not the injected one, as those of Redis do not obey it either. */
export function createMemoryLockStore(sweeps: Sweeps): LockStore {
  const locks = new Map<string, { holder: string; untilMs: number }>()
  sweeps.add({
    sweep() {
      for (const [name, { untilMs }] of locks) if (untilMs <= performance.now()) locks.delete(name)
    },
    kept: () => locks.size
  })

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

/** Signing keys are kept oldest first, and are lost with the process. */
export function createMemorySigningKeyStore(): SigningKeyStore {
  const keys: StoredSigningKey[] = []

  return {
    list: async () => [...keys],

    async succeed(predecessorKid, next, obsolete) {
      if (keys.at(-1)?.kid === predecessorKid) {
        keys.push(next)
        keys.splice(0, keys.length, ...keys.filter(({ kid }) => !obsolete.includes(kid)))
      }
      return [...keys]
    },

    async clear() {
      keys.length = 0
    },

    unreadable: (detail = 'a signing key cannot be read') => fault('unavailable', { detail })
  }
}
