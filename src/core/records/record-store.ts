/**
 * The store of records, for everything without race-critical rules of its own. A record has an id, a parent, string fields and
 * an expiry; an undefined value is an absent field. One implementation per engine serves all kinds of records, whose shape and
 * meaning are defined by the other folders of core. Every method on one record is atomic; `list` is no snapshot. All are
 * idempotent, and all but `note` reject with the fault `unavailable` when the storage cannot answer.
 */
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

export interface RecordStore {
  /** Creates the record unless it exists. Resolves to the fields it has afterwards. */
  create(parent: string, id: string, fields: Fields, keepUntilMs: number): Promise<Fields>
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
  /** All records of a parent by id, in no particular order. */
  list(parent: string): Promise<Map<string, Fields>>
}

/** Times of last use are sampled: they are written no more often than this, and lag behind by as much. */
const LAST_USE_SAMPLE_MS = 60_000

/** Whether a use at `nowMs` should be written, when the one written last was at `lastUsedAtMs`. */
export function isWorthNoting(lastUsedAtMs: number | undefined, nowMs: number): boolean {
  return nowMs - (lastUsedAtMs ?? 0) >= LAST_USE_SAMPLE_MS
}
