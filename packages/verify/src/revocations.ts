/** The authorizations that are revoked, until the last token of each would have ended anyway. */

export interface Revocations {
  /** `untilSeconds` is unix time, as on the wire. */
  add(cid: string, untilSeconds: number): void
  has(cid: string): boolean
  /** Forgets those that ended before this unix time. */
  drop(nowSeconds: number): void
  /** Whether one that is forgotten would be needed at this unix time, because the clock was set back since. */
  lacks(nowSeconds: number): boolean
  /** To be called before all of them are added again. */
  startOver(): void
  readonly size: number
}

/**
 * An entry is an id and a small integer in one map, about a hundred bytes, and has no timer: what has ended goes with the next
 * reading of the feed.
 */
export function createRevocations(): Revocations {
  const ends = new Map<string, number>()
  let earliest = Number.POSITIVE_INFINITY
  /** The latest end of those that are forgotten. */
  let forgotten = Number.NEGATIVE_INFINITY
  return {
    add(cid, untilSeconds) {
      const until = Math.max(untilSeconds, ends.get(cid) ?? 0)
      ends.set(cid, until)
      earliest = Math.min(earliest, until)
    },
    has: (cid) => ends.has(cid),
    drop(nowSeconds) {
      if (earliest >= nowSeconds) return
      earliest = Number.POSITIVE_INFINITY
      for (const [cid, until] of ends) {
        if (until < nowSeconds) {
          ends.delete(cid)
          forgotten = Math.max(forgotten, until)
        } else earliest = Math.min(earliest, until)
      }
    },
    lacks: (nowSeconds) => forgotten >= nowSeconds,
    startOver() {
      forgotten = Number.NEGATIVE_INFINITY
    },
    get size() {
      return ends.size
    }
  }
}
