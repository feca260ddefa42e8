/** Records in memory, by parent and id, and by the end of their life. */
import type { Clock } from '../../core/clock.js'
import { readAll, type Turns } from '../../core/records/batches.js'
import {
  type Fading,
  type Fields,
  LARGEST_PAGE,
  type PageOptions,
  type Position,
  type RecordStore
} from '../../core/records/record-store.js'
import type { Sweeps } from './sweeps.js'

interface StoredRecord {
  id: string
  fields: Record<string, string>
  keepUntilMs: number
  /** Counts creations, so that records of one life keep their order. */
  number: number
}

interface Parent {
  records: Map<string, StoredRecord>
  /** Those that end first come first. */
  index: StoredRecord[]
}

type Place = Pick<StoredRecord, 'keepUntilMs' | 'number'>

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
    const expired = parent.index.splice(0, rankOf(parent, lastOf(clock())))
    for (const { id } of expired) parent.records.delete(id)
    if (parent.records.size === 0) parents.delete(name)
    return parent
  }

  function insert(parent: Parent, record: StoredRecord): void {
    parent.index.splice(rankOf(parent, record), 0, record)
    parent.records.set(record.id, record)
  }

  function remove(parent: Parent, id: string): void {
    const record = parent.records.get(id)
    if (!record) return
    parent.index.splice(rankOf(parent, record) - 1, 1)
    parent.records.delete(id)
  }

  function keepUntil(parent: Parent, record: StoredRecord, keepUntilMs: number): void {
    remove(parent, record.id)
    insert(parent, Object.assign(record, { keepUntilMs }))
  }

  /** How many records outlast the time of fading, and where the fading ones begin that count, as a rank from the first to end. */
  function countedOf(parent: Parent, fading: Fading | undefined): { lasting: number; from: number } {
    const { length } = parent.index
    if (!fading) return { lasting: length, from: 0 }
    const lasting = length - rankOf(parent, lastOf(clock() + fading.withinMs))
    return { lasting, from: Math.max(0, length - lasting - fading.most) }
  }

  function pageOf(parent: Parent, { order, most, after, fading }: PageOptions) {
    const { lasting, from } = countedOf(parent, fading)
    const { index } = parent
    if (order === 'first-to-end') {
      const start = after === undefined ? 0 : rankOf(parent, readPlace(after))
      const found = index.slice(start, start + most)
      return { found, lasting, next: start + most < index.length ? positionOf(found.at(-1)) : undefined }
    }
    const { keepUntilMs, number } = after === undefined ? LAST : readPlace(after)
    const end = rankOf(parent, { keepUntilMs, number: number - 1 })
    const start = Math.max(from, end - most)
    const found = index.slice(start, end).reverse()
    return { found, lasting, next: start > from ? positionOf(found.at(-1)) : undefined }
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
      if (!parent.records.has(id) && countedOf(parent, { withinMs, most }).lasting >= most) return 'full'
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
      turns(async () => {
        const { found, ...rest } = pageOf(living(parentName), options)
        return { ...rest, records: new Map(found.map(({ id, fields }) => [id, { ...fields }])) }
      }),

    ids: (parentName, options) =>
      turns(async () => {
        const { found, ...rest } = pageOf(living(parentName), options)
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
      const beyond = parent.index.slice(0, Math.min(countedOf(parent, fading).from, LARGEST_PAGE))
      for (const { id, fields } of beyond) {
        if (Number(fields.createdAtMs) < clock() - spareMs) remove(parent, id)
      }
    }
  }
  return store
}

const LAST: Place = { keepUntilMs: Number.POSITIVE_INFINITY, number: Number.POSITIVE_INFINITY }
const lastOf = (ms: number): Place => ({ ...LAST, keepUntilMs: ms })

/** How many records of a parent are at a place or before it. */
function rankOf({ index }: Parent, place: Place): number {
  let [low, high] = [0, index.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const { keepUntilMs, number } = index[middle] as StoredRecord
    const isBefore = keepUntilMs < place.keepUntilMs || (keepUntilMs === place.keepUntilMs && number <= place.number)
    if (isBefore) low = middle + 1
    else high = middle
  }
  return low
}

function positionOf(record: Place | undefined): Position | undefined {
  return record && `${record.keepUntilMs} ${record.number}`
}

function readPlace(position: Position): Place {
  const [keepUntilMs, number] = position.split(' ').map(Number)
  return { keepUntilMs: keepUntilMs ?? 0, number: number ?? 0 }
}
