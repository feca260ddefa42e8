/**
 * The store for everything that does not change by a race: a record has an id, a parent, fields and a life.
 * One implementation per engine serves all kinds; a domain folder gives a kind its shape and its meaning.
 * Fields are strings; an absent field is not there. All methods are atomic, safe to apply twice, and reject with the
 * fault `unavailable` when they could not look.
 */
export type Fields = Readonly<Record<string, string>>

/** For records that have no end: it is far away. */
export const FOR_EVER_MS = 100 * 365 * 86_400_000

export interface FieldChanges {
  /** Nothing is changed unless this field has this value: a change that was thought out over an older state is none. */
  onlyIf?: { field: string; is: string }
  /** Written whatever is there. */
  set?: Fields
  /** Written only where nothing is there: the first one stays. */
  setOnce?: Fields
  /** Taken away. */
  clear?: readonly string[]
  /** New end of the record's life. */
  keepUntilMs?: number
}

export interface RecordStore {
  /** Creates the record, unless it is there. Answers with what is there afterwards. */
  create(parent: string, id: string, fields: Fields, keepUntilMs: number): Promise<Fields>
  get(parent: string, id: string): Promise<Fields | undefined>
  /** Changes a record only if it still exists. Answers with what is there afterwards. */
  change(parent: string, id: string, changes: FieldChanges): Promise<Fields | undefined>
  /**
   * A change of which nobody is told. It waits for no replica, and what cannot be written at this moment stays unwritten: a
   * token is good or not while its use cannot be noted as well.
   */
  note(parent: string, id: string, changes: FieldChanges): Promise<void>
  delete(parent: string, id: string): Promise<void>
  /** All records of a parent by id, in no order. */
  list(parent: string): Promise<Map<string, Fields>>
}

/** When something was last used is written down no more often than this, and so is at most as far behind. */
const LAST_USE_SAMPLE_MS = 60_000

/** Whether a use is to be written down, the last one that was being then. */
export function isWorthNoting(lastUsedAtMs: number | undefined, nowMs: number): boolean {
  return nowMs - (lastUsedAtMs ?? 0) >= LAST_USE_SAMPLE_MS
}
