/** Warms servers up, because they are measured only after V8 has compiled their hot paths. */
import type { RedisServer } from '../../test/support/redis-server.js'
import { createGrants } from './grants.js'
import type { Lifetime } from './lifetime.js'
import { type BodyShape, postCodes } from './load.js'

export interface WarmTarget {
  url: string
  shape: BodyShape
  codeOf(code: string): string
}

/**
 * Sends `polls` polls of a thousand grants to each target. The interval of 500 ms lets every poll be answered as
 * pending.
 */
export async function warmUp(
  lifetime: Lifetime,
  redis: RedisServer,
  polls: number,
  targets: readonly WarmTarget[]
): Promise<void> {
  const codes = await createGrants(redis.url, 1_000, { intervalMs: 500 })
  for (const { url, shape, codeOf } of targets) {
    await postCodes(lifetime, url, repeat(codes.map(codeOf), polls), shape)
  }
}

/** Repeats the items until there are `count`. */
export function repeat<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[i % items.length] as T)
}
