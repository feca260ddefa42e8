/** The records of one parent in memory, with an index by the end of their life: what comes in, goes, and stands on a page. */
import type { Fading, PageOptions, Position } from '../../core/records/record-store.js'

export interface StoredRecord {
  id: string
  fields: Record<string, string>
  keepUntilMs: number
  /** Counts creations, so that records of one life keep their order. */
  number: number
}

export interface Parent {
  records: Map<string, StoredRecord>
  /** Those that end first come first. */
  index: StoredRecord[]
}

type Place = Pick<StoredRecord, 'keepUntilMs' | 'number'>

const LAST: Place = { keepUntilMs: Number.POSITIVE_INFINITY, number: Number.POSITIVE_INFINITY }
const lastOf = (ms: number): Place => ({ ...LAST, keepUntilMs: ms })

export function insert(parent: Parent, record: StoredRecord): void {
  parent.index.splice(rankOf(parent, record), 0, record)
  parent.records.set(record.id, record)
}

export function remove(parent: Parent, id: string): void {
  const record = parent.records.get(id)
  if (!record) return
  parent.index.splice(rankOf(parent, record) - 1, 1)
  parent.records.delete(id)
}

export function keepUntil(parent: Parent, record: StoredRecord, keepUntilMs: number): void {
  remove(parent, record.id)
  insert(parent, Object.assign(record, { keepUntilMs }))
}

/** How many records outlast the time of fading, and where the fading ones begin that count, as a rank from the first to end. */
export function countedOf(
  parent: Parent,
  fading: Fading | undefined,
  nowMs: number
): { lasting: number; from: number } {
  const { length } = parent.index
  if (!fading) return { lasting: length, from: 0 }
  const lasting = length - rankOf(parent, lastOf(nowMs + fading.withinMs))
  return { lasting, from: Math.max(0, length - lasting - fading.most) }
}

export function pageOf(parent: Parent, { order, most, after, fading }: PageOptions, nowMs: number) {
  const { lasting, from } = countedOf(parent, fading, nowMs)
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

/** Takes out the records that have expired. */
export function expire(parent: Parent, nowMs: number): void {
  const expired = parent.index.splice(0, rankOf(parent, lastOf(nowMs)))
  for (const { id } of expired) parent.records.delete(id)
}

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
