/** Records in memory, by parent and id. */
import type { Clock } from '../../core/clock.js'
import type { RecordStore } from '../../core/records/record-store.js'
import type { Sweeps } from './sweeps.js'

interface StoredRecord {
  fields: Record<string, string>
  keepUntilMs: number
}

export function createMemoryRecordStore(clock: Clock, sweeps: Sweeps): RecordStore {
  const parents = new Map<string, Map<string, StoredRecord>>()

  sweeps.add({
    sweep() {
      for (const parent of parents.keys()) living(parent)
    },
    kept: () => [...parents.values()].reduce((sum, { size }) => sum + size, 0)
  })

  /** The unexpired records of a parent. Deletes the expired ones. */
  function living(parent: string): Map<string, StoredRecord> {
    const records = parents.get(parent) ?? new Map<string, StoredRecord>()
    for (const [id, { keepUntilMs }] of records) if (keepUntilMs <= clock()) records.delete(id)
    if (records.size === 0) parents.delete(parent)
    return records
  }

  return {
    async create(parent, id, fields, keepUntilMs) {
      const records = living(parent)
      const record = records.get(id) ?? { fields: { ...fields }, keepUntilMs }
      parents.set(parent, records.set(id, record))
      return { ...record.fields }
    },

    async get(parent, id) {
      const record = living(parent).get(id)
      return record && { ...record.fields }
    },

    async change(parent, id, { onlyIf, set = {}, setOnce = {}, clear = [], keepUntilMs }) {
      const record = living(parent).get(id)
      if (!record) return undefined
      if (onlyIf && record.fields[onlyIf.field] !== onlyIf.is) return { ...record.fields }
      record.fields = { ...setOnce, ...record.fields, ...set }
      for (const name of clear) delete record.fields[name]
      record.keepUntilMs = keepUntilMs ?? record.keepUntilMs
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
