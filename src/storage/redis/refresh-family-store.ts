/** Refresh families in Redis: a hash per family, judged by the scripts. */
import type { Clock } from '../../core/clock.js'
import { isDigest } from '../../core/secrets/digest.js'
import type { RefreshFamily, RefreshFamilyStore, Rotation } from '../../core/tokens/refresh-family.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'

/** Expiries are computed with `clock`, grace periods with Redis's clock; `testClock` replaces the latter in tests. */
export function createRedisRefreshFamilyStore(
  { call, runDurably, unreadable }: RedisConnection,
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
