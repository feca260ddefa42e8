/** Limits in Redis, shared by all instances. Attempts expire by Redis's clock, which `testClock` replaces in tests. */
import type { Clock } from '../../core/clock.js'
import type { LimitStore } from '../../core/limits/limits.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

export function createRedisLimitStore({ call, run }: Connection, keys: Keys, testClock?: Clock): LimitStore {
  const now = testClock ? () => [testClock()] : () => []

  async function take(key: string, attemptId: string, limit: number, windowMs: number) {
    const freeInMs = (await run('limit-take', keys.limit(key), attemptId, limit, windowMs, ...now())) as number
    return freeInMs < 0 ? undefined : { freeInMs }
  }

  return {
    async hit(key, windowMs) {
      const [count, resetsInMs] = (await run('limit-hit', keys.limit(key), windowMs)) as [number, number]
      return { count, resetsInMs }
    },

    take,
    look: (key, limit, windowMs) => take(key, '', limit, windowMs),

    async giveBack(key, attemptId) {
      await call('limit-give-back', (redis) => redis.zrem(keys.limit(key), attemptId))
    }
  }
}
