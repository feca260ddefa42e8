/**
 * All that a storage holds, looked through as a whole: for the operator's commands alone, since it takes as long as there is much, and
 * rights that the service itself does not need. What is there from the beginning to the end of a walk comes at least once.
 */

/** The families of keys that a walk can be told of: what a restore must not bring back. */
export const FAMILIES = [
  'authorized-client',
  'refresh-family',
  'session',
  'grant',
  'user-code',
  'api-key',
  'limit',
  'lock'
] as const
export type Family = (typeof FAMILIES)[number]

export interface FoundKey {
  family: Family
  /** In the engine's own words. */
  key: string
  /** Of a record; absent from lists of records, and from what is none. */
  record?: { parent: string; id: string }
}

export interface Keyspace {
  /** Rejects with a sentence for the operator unless this user may walk, and delete, at every primary. */
  checkRights(): Promise<void>
  /**
   * Calls `step` with the keys of these families, some hundreds at a time, one call after the other. Rejects with a sentence for the
   * operator when a primary does not answer or a part of the keys has none.
   */
  walk(families: readonly Family[], step: (found: readonly FoundKey[], place: KeyPlace) => Promise<void>): Promise<void>
}

/** Where the keys of a step are. */
export interface KeyPlace {
  /** Deletes keys of the step. Resolves, once the replicas that are waited for know, to how many were there. */
  delete(keys: readonly string[]): Promise<number>
}
