/** Records in memory, by parent and id; record-index.ts has those of one parent. */
import type { Clock } from '../../core/clock.js'
import { fault } from '../../core/fault.js'
import { readAll } from '../../core/records/batches.js'
import { type Fields, LARGEST_PAGE, type RecordStore } from '../../core/records/record-store.js'
import type { Turns } from '../../core/records/turns.js'
import { countedOf, expire, insert, keepUntil, type Parent, pageOf, remove } from './record-index.js'
import type { Sweeps } from './sweeps.js'

export function createMemoryRecordStore(clock: Clock, sweeps: Sweeps, turns: Turns): RecordStore {
  const parents = new Map<string, Parent>()
  let created = 0

  sweeps.add({
    sweep() {
      for (const parent of parents.keys()) living(parent)
    },
    kept: () => [...parents.values()].reduce((sum, { records }) => sum + records.size, 0)
  })

  /** The unexpired records of a parent. Deletes the expired ones. */
  function living(name: string): Parent {
    const parent = parents.get(name) ?? { records: new Map(), index: [] }
    expire(parent, clock())
    if (parent.records.size === 0) parents.delete(name)
    return parent
  }

  function create(parentName: string, id: string, fields: Fields, keepUntilMs: number): Fields {
    const parent = living(parentName)
    const known = parent.records.get(id)
    if (known) return { ...known.fields }
    created += 1
    insert(parent, { id, fields: { ...fields }, keepUntilMs, number: created })
    parents.set(parentName, parent)
    return { ...fields }
  }

  const store: RecordStore = {
    create: async (parent, id, fields, keepUntilMs) => create(parent, id, fields, keepUntilMs),

    async createWithin(parentName, id, fields, keepUntilMs, { withinMs, most }) {
      const parent = living(parentName)
      if (!parent.records.has(id) && countedOf(parent, { withinMs, most }, clock()).lasting >= most) return 'full'
      return create(parentName, id, fields, keepUntilMs)
    },

    async get(parent, id) {
      const record = living(parent).records.get(id)
      return record && { ...record.fields }
    },

    async change(parentName, id, { onlyIf, set = {}, setOnce = {}, clear = [], keepUntilMs, keepAtMostUntilMs }) {
      const parent = living(parentName)
      const record = parent.records.get(id)
      if (!record) return undefined
      if (onlyIf && record.fields[onlyIf.field] !== onlyIf.is) return { ...record.fields }
      record.fields = { ...setOnce, ...record.fields, ...set }
      for (const name of clear) delete record.fields[name]
      const untilMs = keepUntilMs ?? Math.min(record.keepUntilMs, keepAtMostUntilMs ?? record.keepUntilMs)
      if (untilMs !== record.keepUntilMs) keepUntil(parent, record, untilMs)
      return { ...record.fields }
    },

    async note(parent, id, changes) {
      await store.change(parent, id, changes)
    },

    async delete(parentName, id, onlyIf) {
      const parent = living(parentName)
      if (onlyIf && parent.records.get(id)?.fields[onlyIf.field] !== onlyIf.is) return
      remove(parent, id)
    },

    list: (parent) => readAll(store.page, parent),

    page: (parentName, options) =>
      turns(parentName, async () => {
        const { found, ...rest } = pageOf(living(parentName), options, clock())
        return { ...rest, records: new Map(found.map(({ id, fields }) => [id, { ...fields }])) }
      }),

    async scan({ after, most }) {
      // Whole, for what one process has in memory is not much. The count of creations is the place.
      const all = [...parents.keys()].flatMap((parent) =>
        living(parent).index.map(({ id, fields, number }) => ({ parent, id, number, fields: { ...fields } }))
      )
      const rest = all.filter(({ number }) => number > Number(after ?? 0)).sort((a, b) => a.number - b.number)
      const records = rest.slice(0, most)
      const next = records.length < rest.length ? `${records.at(-1)?.number}` : undefined
      return { records: records.map(({ number, ...record }) => ({ ...record, position: `${number}` })), next }
    },

    ids: (parentName, options) =>
      turns(parentName, async () => {
        const { found, ...rest } = pageOf(living(parentName), options, clock())
        return { ...rest, ids: found.map(({ id }) => id) }
      }),

    async end(parentName, ids, { field, value, clears }, keepUntilMs) {
      const parent = living(parentName)
      const records = ids.flatMap((id) => parent.records.get(id) ?? [])
      const ended = records.filter(({ fields }) => fields[field] === undefined)
      for (const { fields } of ended) fields[field] = value
      for (const { fields } of records) if (clears !== undefined) delete fields[clears]
      for (const record of records) if (record.keepUntilMs > keepUntilMs) keepUntil(parent, record, keepUntilMs)
      return ended.map(({ id }) => id)
    },

    async trim(parentName, fading, spareMs) {
      const parent = living(parentName)
      const beyond = parent.index.slice(0, Math.min(countedOf(parent, fading, clock()).from, LARGEST_PAGE))
      for (const { id, fields } of beyond) {
        if (Number(fields.createdAtMs) < clock() - spareMs) remove(parent, id)
      }
    },

    unreadable: (detail = 'a record cannot be read') => fault('unavailable', { detail })
  }
  return store
}
