/**
 * Long lists in small pieces. A list is read batch by batch, and all lists that an instance reads take turns with a rest between
 * them, owner by owner: however many lists there are and however long they are, they have a part of the event loop alone, and a
 * short list of one owner waits for no long ones of another.
 */
import { fault } from '../fault.js'
import type { Fields, PageOptions, Position, RecordPage, RecordStore } from './record-store.js'

/** So many records cost about half a millisecond of the event loop. */
const BATCH = 25
/** As long as a batch costs, so that many lists leave at least half of the loop to everybody else. */
const REST_MS = 1
/** The caps on those that wait for their turn, of all and of one owner. Each of them is a request, so that this bounds their memory. */
const MOST_WAITING = 1_000
const MOST_WAITING_OF_ONE = 250

/**
 * Runs a piece of work of an owner (a user, an account) when it is its turn. Rejects with `overloaded` if too many wait already, of
 * this owner or of all.
 */
export type Turns = <T>(owner: string, work: () => Promise<T>) => Promise<T>

/**
 * Makes turns for up to `most` pieces of work at a time, `mostOfOne` of them of one owner. The owners that wait come one after the
 * other, however much each of them wants, and what one owner wants is first come, first served. The next piece begins in a later
 * turn of the event loop, after a rest if somebody waits.
 */
export function createTurns(most: number, mostOfOne = most): Turns {
  /** What waits, by its owner: who is first here is the next one. */
  const waiting = new Map<string, (() => void)[]>()
  const taken = new Map<string, number>()
  let takenInAll = 0
  let waitingInAll = 0

  const takenOf = (owner: string) => taken.get(owner) ?? 0

  function take(owner: string): void {
    takenInAll += 1
    taken.set(owner, takenOf(owner) + 1)
  }

  function leave(owner: string): void {
    takenInAll -= 1
    if (takenOf(owner) > 1) taken.set(owner, takenOf(owner) - 1)
    else taken.delete(owner)
    for (const [next, queue] of waiting) {
      if (takenOf(next) >= mostOfOne) continue
      const begin = queue.shift()
      waitingInAll -= 1
      // Whoever has more to do comes last again.
      waiting.delete(next)
      if (queue.length > 0) waiting.set(next, queue)
      take(next)
      begin?.()
      return
    }
  }

  function wait(owner: string): Promise<void> {
    const queue = waiting.get(owner) ?? []
    if (waitingInAll >= MOST_WAITING || queue.length >= MOST_WAITING_OF_ONE) {
      throw fault('overloaded', { detail: 'too many lists are read already' })
    }
    waitingInAll += 1
    waiting.set(owner, queue)
    return new Promise((resolve) => queue.push(resolve))
  }

  return async (owner, work) => {
    if (takenInAll < most && takenOf(owner) < mostOfOne) take(owner)
    else await wait(owner)
    try {
      return await work()
    } finally {
      if (waitingInAll > 0) setTimeout(leave, REST_MS, owner)
      else setImmediate(leave, owner)
    }
  }
}

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
