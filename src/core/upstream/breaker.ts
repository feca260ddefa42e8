/**
 * A circuit breaker: it stops calls to a service that keeps failing, or that asked for a pause with Retry-After. Such calls
 * would keep their callers waiting and add to the service's load.
 */
import type { Clock } from '../clock.js'

const FAILURES_IN_A_ROW = 5
const PAUSE_SECONDS = 30
/** Failures that lie further apart than this are in no row. It is the longest pause a service can ask for. */
const FORGET_AFTER_MS = 300_000

export interface Breaker {
  /** The seconds until the service may be called again; 0 if it may be called now. */
  pauseSeconds(): number
  succeeded(): void
  /**
   * Counts a failure. `retryAfterSeconds` is the service's own Retry-After, if it sent one. Failures about the same thing, such as
   * one refresh token, count once: the service may fail over that one alone.
   */
  failed(retryAfterSeconds: number | undefined, about?: string): void
}

/** Opens for 30 seconds after five failures in a row. The count outlives the pause, so the next failure opens it again. */
export function createBreaker(clock: Clock): Breaker {
  const failures = new Set<string | symbol>()
  let pausedUntilMs = 0
  let failedAtMs = 0

  return {
    pauseSeconds: () => Math.max(0, Math.ceil((pausedUntilMs - clock()) / 1000)),
    // Leaves `pausedUntilMs` as it is: the success may be of a call that began before the pause.
    succeeded() {
      failures.clear()
    },
    failed(retryAfterSeconds, about) {
      if (clock() - failedAtMs > FORGET_AFTER_MS) failures.clear()
      failedAtMs = clock()
      if (failures.size < FAILURES_IN_A_ROW) failures.add(about ?? Symbol())
      const pause = retryAfterSeconds ?? (failures.size >= FAILURES_IN_A_ROW ? PAUSE_SECONDS : 0)
      pausedUntilMs = Math.max(pausedUntilMs, clock() + pause * 1000)
    }
  }
}
