/**
 * Long lists in small pieces. A list is read batch by batch, and all lists that an instance reads take turns with a rest between
 * them, party by party: however many lists there are and however long they are, they have a part of the event loop alone, and a
 * short list of one party waits for no long ones of another.
 */
import type { Fields, PageOptions, Position, RecordPage, RecordStore } from './record-store.js'

/** So many records cost about half a millisecond of the event loop. */
const BATCH = 25

type Page = RecordStore['page']

/** A part of a list: where it begins, and how many it has at most. */
export interface ListOptions {
  after: Position | undefined
  most: number
}

export interface List<T> {
  items: T[]
  /** Where the next part begins; undefined if this is the last one. A part may have fewer than asked for, or none. */
  next: Position | undefined
}

/** Reads a parent's list in batches. With `most` it ends after so many records, or where the list does. */
export async function* batchesOf(
  page: Page,
  parent: string,
  options: Omit<PageOptions, 'most'>,
  most = Number.POSITIVE_INFINITY
): AsyncGenerator<RecordPage> {
  let { after } = options
  let left = most
  do {
    const batch = await page(parent, { ...options, after, most: Math.min(BATCH, left) })
    yield batch
    left -= batch.records.size
    after = batch.next
  } while (after !== undefined && left > 0)
}

/** How far one part looks for what is wanted, in batches. */
const LOOKS = 40

/** A part of a list, of what is wanted. `batches` reads on after a position, so many at most. */
export async function wantedOf<T>(
  batches: (after: Position | undefined, most: number) => AsyncIterable<List<T>>,
  { after, most }: ListOptions,
  isWanted: (item: T) => boolean
): Promise<List<T>> {
  const items: T[] = []
  let next = after
  for (let looks = 0; looks < LOOKS && items.length < most; ) {
    for await (const batch of batches(next, most - items.length)) {
      items.push(...batch.items.filter(isWanted))
      next = batch.next
      looks += 1
    }
    if (next === undefined) break
  }
  return { items, next }
}

/** One page of any size: its batches put together. */
export async function readPage(page: Page, parent: string, { most, ...options }: PageOptions): Promise<RecordPage> {
  const records = new Map<string, Fields>()
  let last: { next: Position | undefined; lasting: number } = { next: undefined, lasting: 0 }
  for await (const batch of batchesOf(page, parent, options, most)) {
    for (const [id, fields] of batch.records) records.set(id, fields)
    last = batch
  }
  return { ...last, records }
}

/** A whole list: `list` of every engine. */
export async function readAll(page: Page, parent: string): Promise<Map<string, Fields>> {
  const most = Number.POSITIVE_INFINITY
  return (await readPage(page, parent, { order: 'first-to-end', most })).records
}
