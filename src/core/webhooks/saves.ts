/** The changes of one endpoint on their way to the storage: in their order, together, and again when the storage was away. */
import { isFault } from '../fault.js'
import type { Change } from './webhook-changes.js'

/** So much is written in one step. */
const AT_ONCE = 100
/** With so many unsaved changes nothing new begins: the storage is away. */
const STUCK_AT = 200

export type Saves = ReturnType<typeof createSaves>

export function createSaves(write: (changes: readonly Change[]) => Promise<'written' | 'stale'>, lost: () => void) {
  const pending: Change[] = []
  let underWay: Promise<void> | undefined

  /** The last cursor of several stands for all of them, behind what must be there before it. */
  function next(): Change[] {
    const batch = pending.slice(0, AT_ONCE)
    const last = batch.findLast(({ kind }) => kind === 'cursor')
    return batch.filter((change) => change.kind !== 'cursor' || change === last)
  }

  async function saveAll(): Promise<void> {
    while (pending.length > 0) {
      const taken = Math.min(pending.length, AT_ONCE)
      const answer = await write(next())
      pending.splice(0, taken)
      if (answer === 'stale') {
        pending.length = 0
        lost()
      }
    }
  }

  return {
    add: (change: Change) => void pending.push(change),
    isEmpty: () => pending.length === 0,
    isStuck: () => pending.length >= STUCK_AT,

    /** Saves what there is. An unreachable storage is no reason to reject: the changes stay, and are saved with the next ones. */
    async save(): Promise<void> {
      underWay ??= saveAll().finally(() => {
        underWay = undefined
      })
      try {
        await underWay
      } catch (error) {
        if (!isFault(error)) throw error
      }
    }
  }
}
