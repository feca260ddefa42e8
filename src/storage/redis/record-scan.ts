/** All records of a kind in Redis, looked for by SCAN in one primary after the other. */
import { createHash } from 'node:crypto'
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

/** Where in a step a position is: what the step looks at and where it ends, and the digest of the last key before the position. */
interface WithinStep {
  count: number
  end: string
  last: string
}

/**
 * A position is the name of a primary, the cursor there and whose cursor it is: it goes on with that one, from its start if another server
 * has its name by now, and then with those that come after it. It is good as long as the slots are not shared out anew: what went to a
 * primary that was looked through before would be left out.
 *
 * The keys of a step are put in the order of their digests, so that a position can be between two of them. Behind it those up to the last
 * one are left out if the step ends where it did, for then it has looked through the same part of the table; otherwise it is given anew.
 */
export function createRecordScan(kind: string, { connection, keys, leaveOut }: RecordScanParts): RecordStore['scan'] {
  const { askPrimary, primaryNames, layout, call } = connection
  const { pattern, placeOf } = keys.recordsOf(kind)

  return async ({ after, most }) => {
    // A position of the version before has no layout.
    const [begunAt, from = SCAN_START, whose, known, within] = after?.split(' ') ?? []
    const shared = await layout(known)
    let [name, cursor, server, begun] = [begunAt ?? primaryNames()[0] ?? '', from, whose, readWithin(within)]
    const found: { key: string; position: string }[] = []
    let isLast = false
    for (let step = 0; step < STEPS && found.length < most && !isLast; step++) {
      const count = begun?.count ?? Math.max(FEWEST_LOOKED_AT, Math.min(most, LARGEST_PAGE) - found.length)
      const look = await askPrimary('record-scan', name, (redis) => scanStep(redis, cursor, pattern, count))
      await layout(shared)
      const isWhole = isWholeStep(look, { cursor, server })
      const isSame = begun !== undefined && isWhole && look.server === server && look.cursor === begun.end
      const here = `${name} ${isWhole ? cursor : SCAN_START} ${look.server ?? ''} ${shared}`
      for (const { key, digest } of inOrder(look.keys)) {
        if (isSame && begun && digest <= begun.last) continue
        found.push({ key, position: isWhole ? `${here} ${count},${look.cursor},${digest}` : here })
      }
      begun = undefined
      cursor = isWhole ? look.cursor : SCAN_START
      server = look.server
      if (!isWhole || cursor !== SCAN_START) continue
      const following = primaryNames().find((other) => other > name)
      isLast = following === undefined
      name = following ?? name
    }
    const replies = await call('record-read', (redis) =>
      Promise.all(found.map(({ key }) => redis.hgetall(key).catch(leaveOut)))
    )
    await layout(shared, isLast)
    const records = found.flatMap(({ key, position }, i) => {
      const [place, fields = {}] = [placeOf(key), replies[i]]
      return place && Object.keys(fields).length > 0 ? { ...place, fields, position } : []
    })
    return { records, next: isLast ? undefined : `${name} ${cursor} ${server ?? ''} ${shared}` }
  }
}

/** Keys with their digests, which are shorter than they are and in whose order they come. */
function inOrder(keys: readonly string[]): { key: string; digest: string }[] {
  const digested = keys.map((key) => ({ key, digest: createHash('sha1').update(key).digest('hex').slice(0, 16) }))
  return digested.sort((a, b) => (a.digest < b.digest ? -1 : 1))
}

function readWithin(text: string | undefined): WithinStep | undefined {
  const [count, end, last] = text?.split(',') ?? []
  return end === undefined || last === undefined ? undefined : { count: Number(count), end, last }
}
