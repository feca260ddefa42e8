/**
 * The store of records, for everything without race-critical rules of its own. A record has an id, a parent, string fields and
 * an expiry; an undefined value is an absent field. One implementation per engine serves all kinds of records, whose shape and
 * meaning are defined by the other folders of core. Every method on one record is atomic; a list is no snapshot. All are
 * idempotent, and all but `note` and `trim` reject with the fault `unavailable` when the storage cannot answer.
 * batches.ts reads lists that may be long, and readable.ts looks whether what is read has the shape of its kind.
 */
import type { Fault } from '../fault.js'

export type Fields = Readonly<Record<string, string>>

/** A hundred years: the life of records that do not expire. */
export const FOR_EVER_MS = 100 * 365 * 86_400_000

/** Compare-and-set: nothing changes unless this field has this value. */
export interface Condition {
  field: string
  is: string
}

export interface FieldChanges {
  onlyIf?: Condition
  /** Fields to write. */
  set?: Fields
  /** Fields to write only where they are absent: the first value stays. */
  setOnce?: Fields
  /** Fields to remove. */
  clear?: readonly string[]
  /** The record's new expiry, in Unix milliseconds. */
  keepUntilMs?: number
  /** Brings the expiry forward to this time; a record that expires earlier is left as it is. Excludes `keepUntilMs`. */
  keepAtMostUntilMs?: number
}

/**
 * Tells the records of a parent apart by how long they still live: those that end within `withinMs` are fading, the others
 * lasting.
 */
export interface Fading {
  withinMs: number
  /** Of the fading ones this many count, those that end last. */
  most: number
}

/** How many lasting records a parent may have: `withinMs` is that of Fading. */
export interface Cap {
  withinMs: number
  most: number
}

/** A place in a parent's list, in the engine's own words. It stays a place when the record there has ended or moved. */
export type Position = string

export interface PageOptions {
  /** Records by the end of their life; those of one life are in the order of their creation, or the other way round. */
  order: 'first-to-end' | 'last-to-end'
  /** The page begins after this position; without it, at the beginning. */
  after?: Position | undefined
  /** The number of records, LARGEST_PAGE at most. */
  most: number
  /** Leaves out the fading records beyond their number. Only for 'last-to-end'. */
  fading?: Fading
}

interface Page {
  /** Where the next page begins; undefined if this is the last one. */
  next: Position | undefined
  /** The number of lasting records of the parent; all of them without `fading`. */
  lasting: number
}

export interface RecordPage extends Page {
  /** Fewer than asked for where records have ended since they were listed. */
  records: Map<string, Fields>
}

export interface IdPage extends Page {
  ids: string[]
}

/** What is read or changed in one step: so much holds up nobody else. */
export const LARGEST_PAGE = 100

/** A record with its place. */
export interface PlacedRecord {
  parent: string
  id: string
  fields: Fields
}

/** A record of a scan, which can go on behind each of them. */
export interface ScannedRecord extends PlacedRecord {
  position: Position
}

/** A part of all records of a kind. */
export interface Sweep {
  records: ScannedRecord[]
  /** Where the next part begins; undefined if this is the last one. */
  next: Position | undefined
}

export interface RecordStore {
  /** Creates the record unless it exists. Resolves to the fields it has afterwards. */
  create(parent: string, id: string, fields: Fields, keepUntilMs: number): Promise<Fields>
  /**
   * The same, unless the parent has as many lasting records already: then it is 'full'. Of all that create at once, on
   * whichever instances, no more get through. A record that exists is never refused.
   */
  createWithin(parent: string, id: string, fields: Fields, keepUntilMs: number, cap: Cap): Promise<Fields | 'full'>
  get(parent: string, id: string): Promise<Fields | undefined>
  /** Changes a record if it exists. Resolves to the fields it has afterwards, or undefined if there is no such record. */
  change(parent: string, id: string, changes: FieldChanges): Promise<Fields | undefined>
  /**
   * A best-effort change, for times of last use: it waits for no replica and resolves even if the storage cannot be reached,
   * because a token stays valid while its use cannot be recorded.
   */
  note(parent: string, id: string, changes: FieldChanges): Promise<void>
  /** Deletes a record if it exists and, with a condition, meets it. */
  delete(parent: string, id: string, onlyIf?: Condition): Promise<void>
  /** All records of a parent by id, read page by page, in the order of their creation if they all live equally long. */
  list(parent: string): Promise<Map<string, Fields>>
  /** A part of the list of a parent. */
  page(parent: string, options: PageOptions): Promise<RecordPage>
  /** The same without the records, for less than a tenth of the price. */
  ids(parent: string, options: PageOptions): Promise<IdPage>
  /**
   * A part of all records of this kind, of whichever parents and in no order: about as many as asked for, LARGEST_PAGE at most; fewer
   * or none where it has looked long enough. What is there from the first part to the last is in one of them at least, and may be in
   * two. Rejects with `invalid_request` where the position leads nowhere any more.
   */
  scan(options: { after: Position | undefined; most: number }): Promise<Sweep>
  /**
   * Ends up to LARGEST_PAGE records in one step: each that exists and lacks the mark gets it, and none lives on after
   * `keepUntilMs`. Resolves to the ids of those that got the field. Without ids it only makes sure that earlier calls last.
   */
  end(parent: string, ids: readonly string[], mark: Mark, keepUntilMs: number): Promise<string[]>
  /**
   * Deletes fading records beyond their number, those that end first, up to LARGEST_PAGE of them: best effort. What was created
   * less than `spareMs` ago, by its field `createdAtMs`, stays.
   */
  trim(parent: string, fading: Fading, spareMs: number): Promise<void>
  /** Tells the operator that a record of this kind cannot be read, and why if that says nothing secret. Returns what to reject with. */
  unreadable(why?: string): Fault
}

/**
 * Says under which parent a record is, of a kind that is asked for by id alone. It is no truth: the record is, and what is missing
 * here is found by `scan`.
 */
export interface ParentIndex {
  /**
   * Notes the parents of records, whoever noted them before. Sent with the other commands of its turn. What cannot be noted fails
   * nobody, and is tried again with later ones.
   */
  note(entries: readonly { id: string; parent: string; keepUntilMs: number }[]): Promise<void>
  /** The parents of these ids, in their order; undefined for one that was not noted. */
  of(ids: readonly string[]): Promise<(string | undefined)[]>
}

/** A field that says that a record has ended. */
export interface Mark {
  field: string
  value: string
  /** A field that goes: what it says is not so any more. */
  clears?: string
}

/** A record that is to be read with others, and the stores of which it can be. */
export interface WantedRecord {
  of: keyof ReadTogether
  parent: string
  id: string
}
export type ReadTogether = Readonly<Record<'apiKeys' | 'issuers' | 'workloads', RecordStore>>

/**
 * Locks shared by all instances, for work that only one of them should do at a time. A lock expires by itself, so a slow holder
 * may overlap with the next one: what it writes must be a compare-and-set (`onlyIf`). Both methods are idempotent, and reject
 * with `unavailable` when the storage cannot answer.
 */
export interface LockStore {
  /**
   * Takes a lock for `forMs` unless another holder has it. `holder` is unique to the attempt, so that a retry finds its own
   * lock.
   */
  acquire(name: string, holder: string, forMs: number): Promise<boolean>
  /** Releases the lock, if this holder still has it. */
  release(name: string, holder: string): Promise<void>
}

/** Times of last use are sampled: they are written no more often than this, and lag behind by as much. */
const LAST_USE_SAMPLE_MS = 60_000

/** Whether a use at `nowMs` should be written, when the one written last was at `lastUsedAtMs`. */
export function isWorthNoting(lastUsedAtMs: number | undefined, nowMs: number): boolean {
  return nowMs - (lastUsedAtMs ?? 0) >= LAST_USE_SAMPLE_MS
}
