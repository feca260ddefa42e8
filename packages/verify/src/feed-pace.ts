/** How soon the feed is asked again: at once where that helps, and else after a pause, so that a service in trouble is left in peace. */
import type { FeedAnswer } from './feed-request.js'
import { isAnswerError } from './requests.js'

export interface FeedPace {
  /**
   * A request failed that was held for so long, 0 if it was none to be held. Returns how long to wait: not at all at the first cut, if
   * there has been a complete reading.
   */
  afterFailure(error: unknown, heldMs: number, hasRead: boolean): number
  /** A request that was to be held was answered. Returns how long to wait. */
  afterHold(answer: FeedAnswer, heldMs: number): number
  /** The service has forgotten the cursor. Returns whether to start over at once. */
  mayStartOver(): boolean
}

/** A held request that lasted this long was no failure from the start: the next cut is the first. */
const GOOD_HOLD_MS = 1_000
/** Whoever has no news and answers sooner holds nothing, whatever the answer says; but an instance that stops does so once. */
const LEAST_HOLD_MS = 500
/** The time between readings of a service that does not hold them. */
const UNHELD_PAUSE_MS = 1_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 4_000
/** A Retry-After beyond this is not believed. */
const LONGEST_RETRY_AFTER_MS = 300_000

/** Half of the time is chance, so that verifiers that lost the same service do not come back together. */
const jittered = (ms: number) => ms / 2 + (Math.random() * ms) / 2

export function createFeedPace(): FeedPace {
  /** Failures since the last request that was held: who answers, but cuts each held request at once, is not asked again and again. */
  let restlessness = 0
  /** How often the service has forgotten the cursor since then. */
  let forgotten = 0
  /** How many held requests in a row were answered at once, without news. */
  let unheld = 0

  return {
    afterFailure(error, heldMs, hasRead) {
      restlessness = heldMs >= GOOD_HOLD_MS ? 1 : restlessness + 1
      const asked = isAnswerError(error) ? Math.min(error.retryAfterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0
      if (hasRead && restlessness === 1 && asked === 0) return 0
      // Not at the very time that was asked for either, which others were asked for as well.
      return asked + jittered(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(restlessness, 10)))
    },

    afterHold({ revocations, isHeld }, heldMs) {
      restlessness = 0
      forgotten = 0
      const isIdle = revocations.length === 0
      unheld = isIdle && heldMs < LEAST_HOLD_MS ? unheld + 1 : 0
      return isIdle && (!isHeld || unheld > 1) ? jittered(UNHELD_PAUSE_MS) : 0
    },

    mayStartOver() {
      forgotten += 1
      return forgotten === 1
    }
  }
}
