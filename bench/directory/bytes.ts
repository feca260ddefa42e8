/** What Redis holds, by kind of key: how many there are, and the bytes of each as Redis counts them (MEMORY USAGE). */
import type { Redis } from 'ioredis'
import type { Keys } from '../../src/storage/redis/keys.js'

/** One key of so many is weighed; of kinds of which there are few, the first ones are as well. */
const WEIGHED_ONE_IN = 100
const ALWAYS_WEIGHED = 20
const SCANNED_AT_ONCE = 1_000

export interface Kind {
  name: string
  keys: number
  bytesEach: number
}

export async function kindsIn(client: Redis, keys: Keys): Promise<Kind[]> {
  const found = new Map<string, { keys: number; weighed: number; bytes: number }>()
  let cursor = '0'
  do {
    const [next, names] = await client.scan(cursor, 'COUNT', SCANNED_AT_ONCE)
    cursor = next
    const weighing = client.pipeline()
    const kinds: { weighed: number; bytes: number }[] = []
    for (const name of names) {
      const kind = kindOf(name, keys)
      const known = found.get(kind) ?? { keys: 0, weighed: 0, bytes: 0 }
      found.set(kind, known)
      known.keys += 1
      if (known.keys > ALWAYS_WEIGHED && known.keys % WEIGHED_ONE_IN !== 0) continue
      weighing.memory('USAGE', name, 'SAMPLES', 0)
      kinds.push(known)
    }
    for (const [i, [, bytes]] of ((await weighing.exec()) ?? []).entries()) {
      const kind = kinds[i]
      if (!kind) continue
      kind.weighed += 1
      kind.bytes += Number(bytes)
    }
  } while (cursor !== '0')
  const all = [...found].map(([name, { keys: count, weighed, bytes }]) => ({
    name,
    keys: count,
    bytesEach: bytes / weighed
  }))
  return all.sort((a, b) => b.keys * b.bytesEach - a.keys * a.bytesEach)
}

/** A list of a parent's records is a kind of its own. */
function kindOf(key: string, keys: Keys): string {
  const { family, record } = keys.readKey(key)
  return record || !key.endsWith('}') ? family : `${family}, list`
}
