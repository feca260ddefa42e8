/**
 * Drops what has expired, in all stores of the memory engine on one timer, so that memory is freed without further traffic. What
 * has expired is decided by each store, by the clock it was given; the timer only says when to look.
 */

/** The part of a store that holds entries which expire. */
export interface Swept {
  /** Drops the entries that have expired. */
  sweep(): void
  /** The number of entries, those among them that have expired since the last sweep. */
  kept(): number
}

export interface Sweeps {
  add(part: Swept): void
  /** The number of entries in all parts. */
  kept(): number
  stop(): void
}

/** Starts the timer, which does not keep the process alive. */
export function startSweeps(everyMs: number): Sweeps {
  const parts: Swept[] = []
  const timer = setInterval(() => {
    for (const { sweep } of parts) sweep()
  }, everyMs).unref()

  return {
    add: (part) => void parts.push(part),
    kept: () => parts.reduce((sum, { kept }) => sum + kept(), 0),
    stop: () => clearInterval(timer)
  }
}
