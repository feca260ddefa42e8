/**
 * Records in Redis: a hash per record and, as an index, a sorted set per parent; both are in the parent's Cluster slot. The locks
 * for work on records are strings, each of which names its holder and expires by its TTL.
 */
import type { Clock } from '../../core/clock.js'
import { isFault } from '../../core/fault.js'
import { readAll } from '../../core/records/batches.js'
import {
  type FieldChanges,
  type Fields,
  type IdPage,
  LARGEST_PAGE,
  type LockStore,
  type PageOptions,
  type RecordStore
} from '../../core/records/record-store.js'
import type { Turns } from '../../core/records/turns.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'
import { createRecordScan } from './record-scan.js'
import { isWrongType } from './watch.js'

export interface RedisRecordParts {
  connection: RedisConnection
  keys: Keys
  clock: Clock
  /** Shared by all kinds of records. */
  turns: Turns
}

export function createRedisRecordStore(
  kind: string,
  { connection, keys, clock, turns }: RedisRecordParts
): RecordStore {
  const { call, run, runDurably, runDurablyOver } = connection
  const unreadable = (why?: string) => connection.unreadable(kind, why)
  const placeOf = (parent: string, id: string) =>
    [keys.record(kind, parent, id), keys.recordIndex(kind, parent), id] as const
  /** The expiry as a duration in milliseconds, because Redis counts it on its own clock. */
  const keepForMs = (keepUntilMs: number) => Math.max(1, Math.ceil(keepUntilMs - clock()))

  function argumentsOf(changes: FieldChanges): (string | number)[] {
    const { onlyIf, set = {}, setOnce = {}, clear = [], keepUntilMs, keepAtMostUntilMs } = changes
    const newEndMs = keepUntilMs ?? keepAtMostUntilMs
    const keepFor = newEndMs === undefined ? '' : keepForMs(newEndMs)
    const whichWay = keepUntilMs === undefined ? 'shorten' : 'set'
    return [
      ...[keepFor, whichWay, onlyIf?.field ?? '', onlyIf?.is ?? ''],
      ...Object.entries(set).flatMap(([field, value]) => ['set', field, value]),
      ...Object.entries(setOnce).flatMap(([field, value]) => ['once', field, value]),
      ...clear.flatMap((field) => ['clear', field, ''])
    ]
  }

  /** What a list has for a key of another type: nothing, as for a record that has ended. */
  function leaveOut(error: unknown): Fields {
    if (!isWrongType(error)) throw error
    unreadable('it is of the wrong type')
    return {}
  }

  /** The records with these ids that have not ended, read in one round trip. */
  async function read(parent: string, ids: string[]): Promise<Map<string, Fields>> {
    if (ids.length === 0) return new Map()
    const replies = await call('record-read', (redis) =>
      Promise.all(ids.map((id) => redis.hgetall(keys.record(kind, parent, id)).catch(leaveOut)))
    )
    const found = ids.map((id, i) => [id, replies[i] ?? {}] as const)
    return new Map(found.filter(([, fields]) => Object.keys(fields).length > 0))
  }

  async function list(parent: string, way: 'up' | 'down', { most, fading, after = ' ' }: ListOptions): Promise<IdPage> {
    const space = after.indexOf(' ')
    const reply = await run(
      'record-page',
      keys.recordIndex(kind, parent),
      ...[way, most, fading?.withinMs ?? 0, fading?.most ?? '', after.slice(0, space), after.slice(space + 1)]
    )
    const [lasting, rest, ...flat] = reply as [number, 'more' | 'last', ...string[]]
    const next = rest === 'more' ? `${flat.at(-1)} ${flat.at(-2)}` : undefined
    return { ids: flat.filter((_, i) => i % 2 === 0), next, lasting }
  }

  const store: RecordStore = {
    async create(parent, id, fields, keepUntilMs) {
      const args = [keepForMs(keepUntilMs), '', '', ...Object.entries(fields).flat()]
      return toFields(await runDurably('record-create', ...placeOf(parent, id), ...args))
    },

    async createWithin(parent, id, fields, keepUntilMs, { most, withinMs }) {
      const args = [keepForMs(keepUntilMs), most, withinMs, ...Object.entries(fields).flat()]
      const reply = await runDurably('record-create', ...placeOf(parent, id), ...args)
      return reply === 'full' ? 'full' : toFields(reply)
    },

    async get(parent, id) {
      const fields = await call('record-get', (redis) => redis.hgetall(keys.record(kind, parent, id)))
      return Object.keys(fields).length > 0 ? fields : undefined
    },

    async change(parent, id, changes) {
      const fields = toFields(await runDurably('record-change', ...placeOf(parent, id), ...argumentsOf(changes)))
      return Object.keys(fields).length > 0 ? fields : undefined
    },

    async note(parent, id, changes) {
      await bestEffort(() => run('record-change', ...placeOf(parent, id), ...argumentsOf(changes)))
    },

    async delete(parent, id, onlyIf) {
      await runDurably('record-delete', ...placeOf(parent, id), onlyIf?.field ?? '', onlyIf?.is ?? '')
    },

    list: (parent) => readAll(store.page, parent),

    // Both steps are short for Redis, and together they are one turn, because their answers are work for the event loop.
    page: (parent, { order, ...options }) =>
      turns(parent, async () => {
        const { ids, ...rest } = await list(parent, WAYS[order], options)
        return { ...rest, records: await read(parent, ids) }
      }),

    scan: createRecordScan(kind, { connection, keys, leaveOut }),

    ids: (parent, { order, ...options }) => turns(parent, () => list(parent, WAYS[order], options)),

    async end(parent, ids, { field, value, clears = '' }, keepUntilMs) {
      const records = ids.map((id) => keys.record(kind, parent, id))
      const args = [field, value, clears, keepForMs(keepUntilMs), ...ids]
      return (await runDurablyOver('record-end', [keys.recordIndex(kind, parent), ...records], args)) as string[]
    },

    trim: (parent, fading, spareMs) =>
      bestEffort(async () => {
        const { ids } = await list(parent, 'up', { most: LARGEST_PAGE, fading })
        if (ids.length === 0) return
        const places = ids.map((id) => ({ id, key: keys.record(kind, parent, id) }))
        const created = await call('record-read', (redis) =>
          Promise.all(places.map(({ key }) => redis.hget(key, 'createdAtMs')))
        )
        const beforeMs = clock() - spareMs
        const old = places.filter((_, i) => Number(created[i]) < beforeMs)
        if (old.length === 0) return
        const index = keys.recordIndex(kind, parent)
        await call('record-trim', (redis) =>
          Promise.all([
            redis.del(old.map(({ key }) => key)),
            redis.zrem(
              index,
              old.map(({ id }) => id)
            )
          ])
        )
      }),

    unreadable
  }
  return store
}

type ListOptions = Omit<PageOptions, 'order'>

const WAYS = { 'first-to-end': 'up', 'last-to-end': 'down' } as const

/** Does work that nobody need know the end of: that Redis could not be asked is no failure of it. */
export async function bestEffort(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isFault(error) || error.code !== 'unavailable') throw error
  }
}

/** Converts a script's flat list of fields and values to an object. */
function toFields(reply: unknown): Fields {
  const flat = reply as string[]
  const fields: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string
  return fields
}

export function createRedisLockStore({ run }: RedisConnection, keys: Keys): LockStore {
  return {
    acquire: async (name, holder, forMs) => (await run('lock-acquire', keys.lock(name), holder, forMs)) === 'acquired',

    async release(name, holder) {
      await run('lock-release', keys.lock(name), holder)
    }
  }
}
