/** Records in Redis: a hash per record and, as an index, a sorted set per parent; both are in the parent's Cluster slot. */
import type { Clock } from '../../core/clock.js'
import { isFault } from '../../core/fault.js'
import type { FieldChanges, Fields, RecordStore } from '../../core/records/record-store.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

export function createRedisRecordStore(
  kind: string,
  { call, run, runDurably }: Connection,
  keys: Keys,
  clock: Clock
): RecordStore {
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

  return {
    async create(parent, id, fields, keepUntilMs) {
      const pairs = Object.entries(fields).flat()
      return toFields(await runDurably('record-create', ...placeOf(parent, id), keepForMs(keepUntilMs), ...pairs))
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
      try {
        await run('record-change', ...placeOf(parent, id), ...argumentsOf(changes))
      } catch (error) {
        if (!isFault(error) || error.code !== 'unavailable') throw error
      }
    },

    async delete(parent, id, onlyIf) {
      await runDurably('record-delete', ...placeOf(parent, id), onlyIf?.field ?? '', onlyIf?.is ?? '')
    },

    async list(parent) {
      const ids = await call('record-list', (redis) => redis.zrange(keys.recordIndex(kind, parent), '0', '-1'))
      const found = await Promise.all(ids.map(async (id) => [id, await this.get(parent, id)] as const))
      return new Map(found.filter((entry): entry is [string, Fields] => entry[1] !== undefined))
    }
  }
}

/** Converts a script's flat list of fields and values to an object. */
function toFields(reply: unknown): Fields {
  const flat = reply as string[]
  const fields: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string
  return fields
}
