/** Locks in Redis: a string per lock, which names the holder and expires by its TTL. */
import type { LockStore } from '../../core/records/lock-store.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

export function createRedisLockStore({ run }: Connection, keys: Keys): LockStore {
  return {
    acquire: async (name, holder, forMs) => (await run('lock-acquire', keys.lock(name), holder, forMs)) === 'acquired',

    async release(name, holder) {
      await run('lock-release', keys.lock(name), holder)
    }
  }
}
