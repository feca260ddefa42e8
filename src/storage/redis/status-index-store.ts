/** The places of status lists in Redis: a bitmap of those of the current list that are taken, and a hash that counts. */
import { randomInt } from 'node:crypto'
import { PLACES_PER_LIST, type StatusIndexStore, TAKEN_PER_LIST } from '../../core/authorizations/status-index.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'

/** At most half of the places are taken, so that one call in a million finds all of its own taken. */
const TRIED_AT_ONCE = 20

export function createRedisStatusIndexStore({ call, run, unreadable }: RedisConnection, keys: Keys): StatusIndexStore {
  const { counts, taken } = keys.statusIndices

  return {
    async take() {
      for (;;) {
        const places = Array.from({ length: TRIED_AT_ONCE }, () => randomInt(PLACES_PER_LIST))
        const index = await run('status-index-take', counts, taken, PLACES_PER_LIST, TAKEN_PER_LIST, ...places)
        if (index !== 'taken') return Number(index)
      }
    },

    async currentList() {
      const list = await call('status-index-list', (redis) => redis.hget(counts, 'list'))
      if (list !== null && !/^\d{1,9}$/.test(list)) throw unreadable('status-index')
      return Number(list ?? 0)
    }
  }
}
