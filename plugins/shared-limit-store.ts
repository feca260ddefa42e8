/** Counts the requests of @fastify/rate-limit in our own storage: one way to count, one deadline, one place that spells keys. */
import type { FastifyRateLimitStore } from '@fastify/rate-limit'
import type { LimitStore } from '../src/core/limits/limits.js'

/** The class that the library makes its stores of. */
export function sharedLimitStore(store: LimitStore) {
  return class SharedStore implements FastifyRateLimitStore {
    incr(
      key: string,
      done: (error: Error | null, result?: { current: number; ttl: number }) => void,
      windowMs = 60_000
    ): void {
      store.hit(key, windowMs).then(
        ({ count, resetsInMs }) => done(null, { current: count, ttl: resetsInMs }),
        (error) => done(error)
      )
    }
    child(): SharedStore {
      return this
    }
  }
}
