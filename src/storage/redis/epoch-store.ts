/** The epoch in Redis: one hash, of which a script lets no moment move back. */
import type { Ends, EpochStore } from '../../core/epoch/epoch.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

export function createRedisEpochStore({ call, runDurably, unreadable }: Connection, keys: Keys): EpochStore {
  function read(reply: (string | null)[]): Ends {
    const [beforeMs, apiKeysBeforeMs, beganAtMs] = reply.map((text) => {
      // A moment that cannot be read might be one that has ended everything.
      if (text !== null && !/^\d{1,15}$/.test(text)) throw unreadable('epoch')
      return Number(text ?? 0)
    }) as [number, number, number]
    return { beforeMs, apiKeysBeforeMs, beganAtMs }
  }

  return {
    async read() {
      return read(await call('epoch-read', (redis) => redis.hmget(keys.epoch, 'before', 'api_keys_before', 'began')))
    },

    async begin({ beforeMs, apiKeysBeforeMs, beganAtMs }) {
      return read((await runDurably('epoch-begin', keys.epoch, beforeMs, apiKeysBeforeMs, beganAtMs)) as string[])
    }
  }
}
