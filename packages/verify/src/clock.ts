/** Milliseconds since 1970; what time a test says that it is. */
export type Clock = () => number

export interface Instant {
  wallMs: number
  steadyMs: number
}

export interface Time {
  /** Milliseconds since 1970. */
  now: Clock
  /** The time for `currentDate` of jose; undefined where jose may look itself. */
  date(): Date | undefined
  instant(): Instant
  /**
   * How much time has passed at least. The steady clock stands still while the machine is suspended, the one on the wall can be set
   * back: the greater of the two is believed.
   */
  since(instant: Instant): number
}

export function createTime(clock: Clock | undefined): Time {
  const now = clock ?? Date.now
  const steady = clock ?? (() => performance.now())
  return {
    now,
    date: () => (clock ? new Date(clock()) : undefined),
    instant: () => ({ wallMs: now(), steadyMs: steady() }),
    since: ({ wallMs, steadyMs }) => Math.max(now() - wallMs, steady() - steadyMs)
  }
}
