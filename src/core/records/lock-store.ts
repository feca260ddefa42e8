/**
 * Locks shared by all instances, for work that only one of them should do at a time. A lock expires by itself, so a slow holder
 * may overlap with the next one: what it writes must be a compare-and-set (`onlyIf` in record-store.ts).
 * Both methods are idempotent, and reject with `unavailable` when the storage cannot answer.
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
