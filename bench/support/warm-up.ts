/** Servers are measured when their hot paths are compiled, not before. */
import type { RedisServer } from '../../test/support/redis-server.js'
import { createGrants } from './grants.js'
import type { Lifetime } from './lifetime.js'
import { type BodyShape, postCodes } from './load.js'

export interface WarmTarget {
  url: string
  shape: BodyShape
  codeOf(code: string): string
}

/** Polls a thousand patient grants over and over: `polls` in all for each target, all of them pending. */
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

/** The items over and over, until there are so many. */
export function repeat<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[i % items.length] as T)
}
