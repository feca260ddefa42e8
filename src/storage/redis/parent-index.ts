/** Whose records are in Redis: a string for each record of a kind, which holds its parent and expires with it. */
import type { ParentIndex } from '../../core/records/record-store.js'
import { bestEffort, type RedisRecordParts } from './record-store.js'

export function createRedisParentIndex(
  kind: string,
  { connection, keys, clock }: Pick<RedisRecordParts, 'connection' | 'keys' | 'clock'>
): ParentIndex {
  return {
    note: (entries) =>
      bestEffort(async () => {
        if (entries.length === 0) return
        await connection.call('parent-note', (redis) =>
          Promise.all(
            entries.map(({ id, parent, keepUntilMs }) =>
              redis.set(keys.recordParent(kind, id), parent, 'PX', Math.max(1, Math.ceil(keepUntilMs - clock())))
            )
          )
        )
      }),

    async of(ids) {
      if (ids.length === 0) return []
      const parents = await connection.call('parent-find', (redis) =>
        Promise.all(ids.map((id) => redis.get(keys.recordParent(kind, id))))
      )
      return parents.map((parent) => parent ?? undefined)
    }
  }
}
