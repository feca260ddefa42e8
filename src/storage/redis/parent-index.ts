/** Whose records are in Redis: a string for each record of a kind, which holds its parent and expires with it. */
import type { ParentIndex } from '../../core/records/record-store.js'
import { bestEffort, type RedisRecordParts } from './record-store.js'

/** As many notes that Redis could not take are kept, the latest. */
const MOST_KEPT = 10_000
/** This many of them are tried again with the next notes. More would be in vain all the time that a primary is away. */
const AGAIN_AT_ONCE = 20

type Note = Parameters<ParentIndex['note']>[0][number]

/**
 * A record and its note are on different primaries of a Cluster, so that one may be written while the other cannot. The note is kept
 * then, in the memory of this instance, until another one is made.
 */
export function createRedisParentIndex(
  kind: string,
  { connection, keys, clock }: Pick<RedisRecordParts, 'connection' | 'keys' | 'clock'>
): ParentIndex {
  const kept = new Map<string, Note>()

  function keep(note: Note): void {
    if ((kept.get(note.id)?.keepUntilMs ?? 0) > note.keepUntilMs) return
    const [oldest] = kept.keys()
    if (kept.size >= MOST_KEPT && oldest !== undefined) kept.delete(oldest)
    kept.set(note.id, note)
  }

  function takeKept(): Note[] {
    const taken: Note[] = []
    for (const note of kept.values()) {
      if (taken.length === AGAIN_AT_ONCE) break
      taken.push(note)
      kept.delete(note.id)
    }
    return taken
  }

  async function put(note: Note, isAgain = false): Promise<void> {
    const { id, parent, keepUntilMs } = note
    const lifeMs = Math.max(1, Math.ceil(keepUntilMs - clock()))
    const key = keys.recordParent(kind, id)
    try {
      await connection.call('parent-note', async (redis) => {
        if (!isAgain) return redis.set(key, parent, 'PX', lifeMs)
        // A later one may have been made since, for a longer life.
        return Promise.all([redis.set(key, parent, 'PX', lifeMs, 'NX'), redis.pexpire(key, lifeMs, 'GT')])
      })
    } catch (error) {
      keep(note)
      throw error
    }
  }

  return {
    note(entries) {
      // Nobody waits for these: what failed a moment ago may fail again, and after a while only.
      void Promise.allSettled(takeKept().map((note) => put(note, true)))
      return bestEffort(() => Promise.all(entries.map((note) => put(note))))
    },

    async of(ids) {
      if (ids.length === 0) return []
      const parents = await connection.call('parent-find', (redis) =>
        Promise.all(ids.map((id) => redis.get(keys.recordParent(kind, id))))
      )
      return parents.map((parent) => parent ?? undefined)
    }
  }
}
