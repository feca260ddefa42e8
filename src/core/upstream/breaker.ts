/** Leaves a service alone that does not answer, or asks for it: what cannot succeed should neither wait nor make matters worse. */
import type { Clock } from '../clock.js'

const FAILURES_IN_A_ROW = 5
const PAUSE_SECONDS = 30

export interface Breaker {
  /** How long the service is still to be left alone; 0 if it may be asked. */
  pauseSeconds(): number
  succeeded(): void
  /** `retryAfterSeconds` is what the service itself asked for. */
  failed(retryAfterSeconds: number | undefined): void
}

/** After some failures in a row it pauses; the first request after that decides whether it pauses again. */
export function createBreaker(clock: Clock): Breaker {
  let failures = 0
  let pausedUntilMs = 0

  return {
    pauseSeconds: () => Math.max(0, Math.ceil((pausedUntilMs - clock()) / 1000)),
    // An answer that was asked for before the pause is no reason to end it.
    succeeded() {
      failures = 0
    },
    failed(retryAfterSeconds) {
      failures += 1
      const pause = retryAfterSeconds ?? (failures >= FAILURES_IN_A_ROW ? PAUSE_SECONDS : 0)
      pausedUntilMs = Math.max(pausedUntilMs, clock() + pause * 1000)
    }
  }
}
