/** Whose records are in memory. */
import type { Clock } from '../../core/clock.js'
import type { ParentIndex } from '../../core/records/record-store.js'
import type { Sweeps } from './sweeps.js'

/** The parents of records by id. */
export function createMemoryParentIndex(clock: Clock, sweeps: Sweeps): ParentIndex {
  const noted = new Map<string, { parent: string; keepUntilMs: number }>()
  sweeps.add({
    sweep() {
      for (const [id, { keepUntilMs }] of noted) if (keepUntilMs <= clock()) noted.delete(id)
    },
    kept: () => noted.size
  })

  return {
    async note(entries) {
      for (const { id, ...entry } of entries) noted.set(id, entry)
    },

    of: async (ids) =>
      ids.map((id) => {
        const entry = noted.get(id)
        return entry && entry.keepUntilMs > clock() ? entry.parent : undefined
      })
  }
}
