/**
 * Locks over all instances, for work that only one of them should do. A lock ends by itself, so its holder may find out late
 * that it was not alone: what it then writes must be a change on condition (records/record-store.ts).
 * Both methods are safe to apply twice and reject with `unavailable` when they could not look.
 */
export interface LockStore {
  /** Takes a lock for so long, if nobody has it. `holder` is unique to the attempt; repeated, it is the same attempt. */
  acquire(name: string, holder: string, forMs: number): Promise<boolean>
  /** Gives it back, if this holder still has it. */
  release(name: string, holder: string): Promise<void>
}
