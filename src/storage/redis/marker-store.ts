/** The marker in Redis: one hash, which a script counts on. */
import type { Clock } from '../../core/clock.js'
import { type MarkerStore, REMEMBERED_BEATS } from '../../core/marker/marker-store.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

type Reply = [marker: string, number: number, previous: string, nowMs: number, event: string, verdict: 'kept' | 'lost']

/** `testClock` replaces Redis's clock in tests. */
export function createRedisMarkerStore({ run }: Pick<Connection, 'run'>, keys: Keys, testClock?: Clock): MarkerStore {
  const now = testClock ? () => [testClock()] : () => []

  return {
    async beat(newId, tag, last, newest) {
      const args = [newId, tag, REMEMBERED_BEATS, last?.number ?? '', last?.tag ?? '', newest ?? '', ...now()]
      const [marker, number, previous, nowMs, event, verdict] = (await run(
        'marker-beat',
        keys.marker,
        ...args
      )) as Reply
      const previousAtMs = previous === '' ? undefined : Number(previous)
      return { marker, number, previousAtMs, nowMs, event: event || undefined, hasLast: verdict === 'kept' }
    }
  }
}
