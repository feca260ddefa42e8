/** The interface of the counters: hits in a window, and attempts of which there are so many at a time. */
import type { Fields, WantedRecord } from '../records/record-store.js'

export interface Hit {
  /** The hits of the window, this one included. */
  count: number
  resetsInMs: number
}

/** A fixed window, which opens with its first hit. */
export interface HitWindow {
  key: string
  lengthMs: number
}

/** In the order of what was wanted: undefined for a record that does not exist, and for a hit that was not counted. */
export interface FoundRecords {
  records: (Fields | undefined)[]
  hit: Hit | undefined
}

/** An attempt that is taken, and when it was. */
export interface Attempt {
  id: string
  atMs: number
}

/** The storage of the limits. Every method is atomic and rejects with `unavailable` when the storage cannot answer. */
export interface LimitStore {
  /** Counts one hit in a fixed window that opens with the first hit. Not idempotent: a retried call counts twice. */
  hit(key: string, windowMs: number): Promise<Hit>

  /**
   * Reads records and, with a window, counts a hit as `hit` does. It is one command, or in a Redis Cluster one for each slot, all
   * sent together; then it is not atomic. An engine may leave out fields that API_KEY_FIELDS and JSON_RECORD_FIELDS do not name.
   */
  readAndHit(wanted: readonly WantedRecord[], window: HitWindow | undefined): Promise<FoundRecords>

  /**
   * Takes one of `limit` attempts; it comes free when it is given back, or `windowMs` after it was taken. Idempotent for the
   * same `attemptId`. Resolves to undefined if the attempt was taken, otherwise to the time until one comes free.
   */
  take(key: string, attemptId: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /** Resolves as `take` would, and takes nothing. */
  look(key: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /**
   * Attempts that were taken within `windowMs` and not given back, those that were taken first: so many after one of them, which may
   * be gone by now. `count` is how many there are.
   */
  taken(
    key: string,
    windowMs: number,
    options: { after?: Attempt | undefined; most: number }
  ): Promise<{ attempts: Attempt[]; count: number }>

  /** Frees an attempt before its window ends. Idempotent. */
  giveBack(key: string, attemptId: string): Promise<void>
}

/** Whether an attempt comes after another one: those of one millisecond are in the order of their ids. */
export function comesAfter(a: Attempt, b: Attempt): boolean {
  return a.atMs > b.atMs || (a.atMs === b.atMs && a.id > b.id)
}

/** The name of a counter. Its parts are percent-encoded, so that untrusted parts cannot contain the separator. */
export function limitKey(...parts: string[]): string {
  return parts.map(encodeURIComponent).join(':')
}
