/** A wall-clock bound for work under way: one sweep over all of it instead of a timer for each. */

const SWEEP_EVERY_MS = 50

/** Work under way. It is kept small: there is one for every request that waits. */
export interface Waiting {
  startedAt: number
  giveUp: () => void
}

export interface Deadline {
  /** `startedAt` is on the clock of performance.now(); earlier than now, there is less time left. */
  begin(startedAt: number, giveUp: () => void): Waiting
  /** Whether the call was still waited for. */
  end(call: Waiting): boolean
  /** How many are waited for. */
  count(): number
  stop(): void
}

export function createDeadline(limitMs: number): Deadline {
  const waiting = new Set<Waiting>()

  let sweptAt = performance.now()

  function sweep(): void {
    // In a long turn what began since the last sweep has not even been sent: it is due at the next.
    const startedBefore = Math.min(performance.now() - limitMs, sweptAt)
    sweptAt = performance.now()
    for (const call of waiting) {
      if (call.startedAt > startedBefore) continue
      waiting.delete(call)
      call.giveUp()
    }
  }

  // After the sockets have been read: an answer that waits there came in time, whatever kept this process from it.
  const timer = setInterval(() => setImmediate(sweep), SWEEP_EVERY_MS)
  timer.unref()

  return {
    begin(startedAt, giveUp) {
      const call = { startedAt, giveUp }
      waiting.add(call)
      return call
    },
    end: (call) => waiting.delete(call),
    count: () => waiting.size,
    stop: () => clearInterval(timer)
  }
}
