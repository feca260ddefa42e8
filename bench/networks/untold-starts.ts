/** Finds writes that were done though their answer was lost. */
import type { RedisServer } from '../../test/support/redis-server.js'
import type { Entry } from '../faults/history.js'

/** How many grants Redis has that nobody was told of, because their start was answered with an error. */
export async function countUntoldStarts(
  history: readonly Entry[],
  { client }: Pick<RedisServer, 'client'>
): Promise<number> {
  let grants = 0
  let cursor = '0'
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', 'grantd:grant:*', 'COUNT', 1_000)
    grants += keys.length
    cursor = next
  } while (cursor !== '0')
  return grants - history.filter(({ kind, outcome }) => kind === 'start' && outcome === 'done').length
}
