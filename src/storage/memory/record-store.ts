/**
 * Records in memory. Expired ones are swept whenever the number of parents has doubled since the last sweep, which bounds them.
 */
import type { Clock } from '../../core/clock.js'
import type { RecordStore } from '../../core/records/record-store.js'

interface StoredRecord {
  fields: Record<string, string>
  keepUntilMs: number
}

const SWEEP_AT_LEAST = 1_000

export function createMemoryRecordStore(clock: Clock): RecordStore {
  const parents = new Map<string, Map<string, StoredRecord>>()
  let sweepAt = SWEEP_AT_LEAST

  function sweep(): void {
    if (parents.size < sweepAt) return
    for (const parent of parents.keys()) living(parent)
    sweepAt = Math.max(SWEEP_AT_LEAST, 2 * parents.size)
  }

  /** The unexpired records of a parent. Deletes the expired ones. */
  function living(parent: string): Map<string, StoredRecord> {
    const records = parents.get(parent) ?? new Map<string, StoredRecord>()
    for (const [id, { keepUntilMs }] of records) if (keepUntilMs <= clock()) records.delete(id)
    if (records.size === 0) parents.delete(parent)
    return records
  }

  return {
    async create(parent, id, fields, keepUntilMs) {
      sweep()
      const records = living(parent)
      const record = records.get(id) ?? { fields: { ...fields }, keepUntilMs }
      parents.set(parent, records.set(id, record))
      return { ...record.fields }
    },

    async get(parent, id) {
      const record = living(parent).get(id)
      return record && { ...record.fields }
    },

    async change(parent, id, { onlyIf, set = {}, setOnce = {}, clear = [], keepUntilMs, keepAtMostUntilMs }) {
      const record = living(parent).get(id)
      if (!record) return undefined
      if (onlyIf && record.fields[onlyIf.field] !== onlyIf.is) return { ...record.fields }
      record.fields = { ...setOnce, ...record.fields, ...set }
      for (const name of clear) delete record.fields[name]
      record.keepUntilMs = keepUntilMs ?? Math.min(record.keepUntilMs, keepAtMostUntilMs ?? record.keepUntilMs)
      return { ...record.fields }
    },

    async note(parent, id, changes) {
      await this.change(parent, id, changes)
    },

    async delete(parent, id, onlyIf) {
      const records = living(parent)
      if (onlyIf && records.get(id)?.fields[onlyIf.field] !== onlyIf.is) return
      records.delete(id)
    },

    async list(parent) {
      return new Map([...living(parent)].map(([id, { fields }]) => [id, { ...fields }]))
    }
  }
}
