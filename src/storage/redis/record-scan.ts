/** All records of a kind in Redis, looked for by SCAN in one primary after the other. */
import { type Fields, LARGEST_PAGE, type RecordStore } from '../../core/records/record-store.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'
import { isWholeStep, SCAN_START, scanStep } from './scan-step.js'

/** How many steps one part looks: each is short for Redis, and so are all of them for whoever waits. */
const STEPS = 20
/** The fewest keys that a step looks at: the last places of a page are not filled one by one. */
const FEWEST_LOOKED_AT = 25

export interface RecordScanParts {
  connection: RedisConnection
  keys: Keys
  /** What there is in place of a key that is no record. */
  leaveOut(error: unknown): Fields
}

/**
 * A position is the name of a primary, the cursor there and whose cursor it is: it goes on with that one, from its start if another server
 * has its name by now, and then with those that come after it. It is good as long as the slots are not shared out anew: what went to a
 * primary that was looked through before would be left out.
 */
export function createRecordScan(kind: string, { connection, keys, leaveOut }: RecordScanParts): RecordStore['scan'] {
  const { askPrimary, primaryNames, layout, call } = connection
  const { pattern, placeOf } = keys.recordsOf(kind)

  return async ({ after, most }) => {
    // A position of the version before has no layout.
    const [begunAt, from = SCAN_START, whose, known] = after?.split(' ') ?? []
    const shared = await layout(known)
    let [name, cursor, server] = [begunAt ?? primaryNames()[0] ?? '', from, whose]
    const found: string[] = []
    let isLast = false
    for (let step = 0; step < STEPS && found.length < most && !isLast; step++) {
      const count = Math.max(FEWEST_LOOKED_AT, Math.min(most, LARGEST_PAGE) - found.length)
      const look = await askPrimary('record-scan', name, (redis) => scanStep(redis, cursor, pattern, count))
      await layout(shared)
      found.push(...look.keys)
      const isWhole = isWholeStep(look, { cursor, server })
      cursor = isWhole ? look.cursor : SCAN_START
      server = look.server
      if (!isWhole || cursor !== SCAN_START) continue
      const following = primaryNames().find((other) => other > name)
      isLast = following === undefined
      name = following ?? name
    }
    const replies = await call('record-read', (redis) =>
      Promise.all(found.map((key) => redis.hgetall(key).catch(leaveOut)))
    )
    await layout(shared, isLast)
    const records = found.flatMap((key, i) => {
      const [place, fields = {}] = [placeOf(key), replies[i]]
      return place && Object.keys(fields).length > 0 ? { ...place, fields } : []
    })
    return { records, next: isLast ? undefined : `${name} ${cursor} ${server ?? ''} ${shared}` }
  }
}
