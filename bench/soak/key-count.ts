/** Counts the keys in Redis by their kind. SCAN touches every key, which makes Redis drop the expired ones. */
import type { RedisServer } from '../../test/support/redis-server.js'

const PREFIX = 'grantd:'
/** `kind:{parent}` is the index of a parent's records, `kind:{parent}:id` is one record. */
const INDEX = /^authorized-client:\{[^}]+\}$/

export async function countKeys(nodes: readonly RedisServer[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { client } of nodes) {
    let cursor = '0'
    do {
      const [next, keys] = await client.scan(cursor, 'COUNT', 1_000)
      for (const key of keys) {
        const kind = kindOf(key)
        counts[kind] = (counts[kind] ?? 0) + 1
      }
      cursor = next
    } while (cursor !== '0')
  }
  return counts
}

function kindOf(key: string): string {
  if (!key.startsWith(PREFIX)) return `not ours: ${key}`
  const name = key.slice(PREFIX.length)
  return INDEX.test(name) ? 'authorized-client of a user' : (name.split(':')[0] ?? name)
}
