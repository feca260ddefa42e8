/** The marker in Redis: one hash, which a script counts on. */
import type { Clock } from '../../core/clock.js'
import { type MarkerStore, REMEMBERED_BEATS } from '../../core/marker/marker-store.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

/** `testClock` replaces Redis's clock in tests. */
export function createRedisMarkerStore({ run }: Pick<Connection, 'run'>, keys: Keys, testClock?: Clock): MarkerStore {
  const now = testClock ? () => [testClock()] : () => []

  return {
    async beat(newId, tag, last) {
      const args = [newId, tag, REMEMBERED_BEATS, last?.number ?? '', last?.tag ?? '', ...now()]
      const reply = (await run('marker-beat', keys.marker, ...args)) as [
        string,
        number,
        string,
        number,
        'kept' | 'lost'
      ]
      const [marker, number, previous, nowMs, verdict] = reply
      const previousAtMs = previous === '' ? undefined : Number(previous)
      return { marker, number, previousAtMs, nowMs, hasLast: verdict === 'kept' }
    }
  }
}
