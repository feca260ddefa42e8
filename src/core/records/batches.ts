/**
 * Long lists in small pieces. A list is read batch by batch, and all lists that an instance reads take turns: a turn of the event
 * loop has the work of one or two batches in it, however many lists there are and however long they are, so that nobody else
 * waits for them.
 */
import { fault } from '../fault.js'
import type { Fields, PageOptions, Position, RecordPage, RecordStore } from './record-store.js'

/** So many records cost about half a millisecond of the event loop. */
const BATCH = 25
/** The cap on those that wait for their turn. Each of them is a request, so that this bounds their memory. */
const MOST_WAITING = 1_000

/** Runs a piece of work when it is its turn. Rejects with `overloaded` if too many wait already. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** Makes turns for up to `most` pieces of work at a time, first come, first served. The next begins in a later turn of the loop. */
export function createTurns(most: number): Turns {
  const waiting: (() => void)[] = []
  let taken = 0

  function pass(): void {
    const next = waiting.shift()
    if (next) next()
    else taken -= 1
  }

  return async (work) => {
    if (taken < most) taken += 1
    else if (waiting.length >= MOST_WAITING) throw fault('overloaded', { detail: 'too many lists are read already' })
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      setImmediate(pass)
    }
  }
}

type Page = RecordStore['page']

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
