/** The time: the clock that is injected wherever the core reads it, and a time limit for calls under way. */

/** Unix time in milliseconds. It is injected so that tests can set it. */
export type Clock = () => number

/** A time as the wire and the command line have it (RFC 3339), in UTC; null where there is none. */
export const isoTime = (ms: number): string => new Date(ms).toISOString()
export const isoTimeOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : isoTime(ms))

/** How far the clocks of two instances, and of Redis, may be apart, wherever times of two of them are compared. */
export const CLOCKS_DIFFER_MS = 60_000

const SWEEP_EVERY_MS = 50

/** A call under way. The object is small because there is one for each request that waits. */
export interface LimitedCall {
  startedAtMs: number
  giveUp: () => void
}

export interface Deadline {
  /**
   * Starts the time limit of a call. `startedAtMs` is a value of performance.now() and may lie in the past, which leaves less
   * time. `giveUp` is called once, by the first sweep after the limit.
   */
  begin(startedAtMs: number, giveUp: () => void): LimitedCall
  /** Ends the time limit of a call; false if it had already expired. */
  end(call: LimitedCall): boolean
  /** The number of calls under way. */
  count(): number
  stop(): void
}

/** One periodic sweep checks all calls, which is cheaper than a timer for each of them. */
export function createDeadline(limitMs: number): Deadline {
  const waiting = new Set<LimitedCall>()

  let sweptAtMs = performance.now()

  function sweep(firedAtMs: number): void {
    // Calls that began after the previous sweep are left for the next one: after a long event-loop turn their commands may
    // not even have been sent yet.
    const startedBeforeMs = Math.min(firedAtMs - limitMs, sweptAtMs)
    sweptAtMs = firedAtMs
    for (const call of waiting) {
      if (call.startedAtMs > startedBeforeMs) continue
      waiting.delete(call)
      call.giveUp()
    }
  }

  // setImmediate runs the sweep after the sockets have been read, so that an answer which arrived in time while the event
  // loop was blocked still counts. Whatever blocks it between the timer and the sweep is not counted for the same reason.
  const timer = setInterval(() => setImmediate(sweep, performance.now()), SWEEP_EVERY_MS)
  timer.unref()

  return {
    begin(startedAtMs, giveUp) {
      const call = { startedAtMs, giveUp }
      waiting.add(call)
      return call
    },
    end: (call) => waiting.delete(call),
    count: () => waiting.size,
    stop: () => clearInterval(timer)
  }
}
