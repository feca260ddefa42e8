/** Limits and refresh families in Redis, shared by all instances and judged by the scripts. */
import type { Clock } from '../../core/clock.js'
import type { LimitStore } from '../../core/limits/limits.js'
import { isDigest } from '../../core/secrets/digest.js'
import type { RefreshFamily, RefreshFamilyStore, Rotation } from '../../core/tokens/refresh-family.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

/** Attempts expire by Redis's clock, which `testClock` replaces in tests. */
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

/** Expiries are computed with `clock`, grace periods with Redis's clock; `testClock` replaces the latter in tests. */
export function createRedisRefreshFamilyStore(
  { call, runDurably, unreadable }: Connection,
  keys: Keys,
  clock: Clock,
  testClock?: Clock
): RefreshFamilyStore {
  const now = testClock ? () => [testClock()] : () => []

  const read = ([userId, currentDigest]: (string | null | undefined)[]): RefreshFamily => {
    if (!userId || !currentDigest || !isDigest(currentDigest)) throw unreadable('refresh-family')
    return { userId, currentDigest }
  }

  return {
    async begin(familyId, family, keepUntilMs) {
      const keepForMs = Math.max(1, Math.ceil(keepUntilMs - clock()))
      const args = [family.userId, family.currentDigest, keepForMs]
      return read((await runDurably('refresh-begin', keys.refreshFamily(familyId), ...args)) as (string | null)[])
    },

    async find(familyId) {
      const key = keys.refreshFamily(familyId)
      const found = await call('refresh-find', (redis) => redis.hmget(key, 'user', 'current'))
      return found.every((value) => value === null) ? undefined : read(found)
    },

    async rotate(familyId, presentedDigest, nextDigest) {
      const key = keys.refreshFamily(familyId)
      const verdict = await runDurably('refresh-rotate', key, presentedDigest, nextDigest, ...now())
      if (typeof verdict === 'string') return { kind: verdict } as Rotation
      const [kind, currentDigest] = verdict as ['rotated' | 'repeated', string]
      return { kind, currentDigest }
    }
  }
}
