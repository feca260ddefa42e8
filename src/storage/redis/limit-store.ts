/**
 * Limits in Redis, shared by all instances, and the records that are read beside a hit. Attempts expire by Redis's clock, which
 * `testClock` replaces in tests.
 */

import { API_KEY_FIELDS } from '../../core/api-keys/api-key.js'
import type { Clock } from '../../core/clock.js'
import { comesAfter, type FoundRecords, type Hit, type HitWindow, type LimitStore } from '../../core/limits/limits.js'
import { JSON_RECORD_FIELDS } from '../../core/records/json-records.js'
import type { Fields, WantedRecord } from '../../core/records/record-store.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'

export interface RedisLimitParts {
  connection: RedisConnection
  keys: Keys
  /** The kinds of records in keys. */
  kinds: Readonly<Record<WantedRecord['of'], string>>
  isCluster: boolean
  clock: Clock
  testClock: Clock | undefined
}

/** What read-and-hit.lua calls a record, and the fields that it reads of it, in its order. */
const READS: Readonly<Record<WantedRecord['of'], { what: string; fields: readonly string[] }>> = {
  apiKeys: { what: 'api-key', fields: API_KEY_FIELDS },
  issuers: { what: 'json-record', fields: JSON_RECORD_FIELDS },
  workloads: { what: 'json-record', fields: JSON_RECORD_FIELDS }
}

/** More attempts are not taken in one millisecond. */
const OF_ONE_MILLISECOND = 100

/** What read-and-hit.lua returns. */
type Reply = [hit: [count: number, resetsInMs: number] | [], ...records: ((string | null)[] | null)[]]

export function createRedisLimitStore(parts: RedisLimitParts): LimitStore {
  const { connection, keys, kinds, isCluster, clock, testClock } = parts
  const { call, run, runOver } = connection
  const now = testClock ? () => [testClock()] : () => []

  async function take(key: string, attemptId: string, limit: number, windowMs: number) {
    const freeInMs = (await run('limit-take', keys.limit(key), attemptId, limit, windowMs, ...now())) as number
    return freeInMs < 0 ? undefined : { freeInMs }
  }

  /** In one run, for which all keys must be in one slot. */
  async function readAndHit(wanted: readonly WantedRecord[], window: HitWindow | undefined): Promise<FoundRecords> {
    const names = wanted.map(({ of, parent, id }) => keys.record(kinds[of], parent, id))
    if (window) names.push(keys.limit(window.key))
    const args = [window ? window.lengthMs : '', ...wanted.map(({ of }) => READS[of].what)]
    const [[count, resetsInMs], ...records] = (await runOver('read-and-hit', names, args)) as Reply
    return {
      records: wanted.map(({ of }, i) => toFields(READS[of].fields, records[i])),
      hit: count === undefined || resetsInMs === undefined ? undefined : { count, resetsInMs }
    }
  }

  /** In one run for each slot: records of one parent share theirs, and the window has one of its own. */
  async function readAndHitBySlot(
    wanted: readonly WantedRecord[],
    window: HitWindow | undefined
  ): Promise<FoundRecords> {
    const parents = [...new Set(wanted.map(({ parent }) => parent))]
    const groups = parents.map((name) => wanted.filter(({ parent }) => parent === name))
    const [counted, ...found] = await Promise.all([
      window && readAndHit([], window),
      ...groups.map((group) => readAndHit(group, undefined))
    ])
    const all = new Map(groups.flatMap((group, i) => group.map((one, j) => [one, found[i]?.records[j]] as const)))
    return { records: wanted.map((one) => all.get(one)), hit: counted?.hit }
  }

  return {
    async hit(key, windowMs) {
      return (await readAndHit([], { key, lengthMs: windowMs })).hit as Hit
    },

    readAndHit: isCluster ? readAndHitBySlot : readAndHit,
    take,
    look: (key, limit, windowMs) => take(key, '', limit, windowMs),

    async taken(key, windowMs, { after, most }) {
      const [name, from] = [keys.limit(key), `(${clock() - windowMs}`]
      // An attempt of the same millisecond may be on either side of the place, so that some more are read.
      const length = most + (after ? OF_ONE_MILLISECOND : 0)
      const [count, flat] = await call('limit-taken', (redis) =>
        Promise.all([
          redis.zcount(name, from, '+inf'),
          redis.zrange(name, after?.atMs ?? from, '+inf', 'BYSCORE', 'LIMIT', 0, length, 'WITHSCORES')
        ])
      )
      const pairs = flat.flatMap((id, i) => (i % 2 === 0 ? { id, atMs: Number(flat[i + 1]) } : []))
      return { attempts: pairs.filter((one) => !after || comesAfter(one, after)).slice(0, most), count }
    },

    async giveBack(key, attemptId) {
      await call('limit-give-back', (redis) => redis.zrem(keys.limit(key), attemptId))
    }
  }
}

function toFields(names: readonly string[], values: (string | null)[] | null | undefined): Fields | undefined {
  if (!values) return undefined
  const fields: Record<string, string> = {}
  for (const [i, name] of names.entries()) {
    const value = values[i]
    if (value !== null && value !== undefined) fields[name] = value
  }
  return fields
}
