/** The authorizations that are revoked, until the last token of each would have ended anyway. */

export interface Revocations {
  /** `untilSeconds` is unix time, as on the wire. */
  add(cid: string, untilSeconds: number): void
  has(cid: string): boolean
  /** Forgets those that ended before this unix time. */
  drop(nowSeconds: number): void
  readonly size: number
}

/**
 * An entry is an id and a small integer in one map, about a hundred bytes, and has no timer: what has ended goes with the next
 * reading of the feed.
 */
export function createRevocations(): Revocations {
  const ends = new Map<string, number>()
  let earliest = Number.POSITIVE_INFINITY
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
        if (until < nowSeconds) ends.delete(cid)
        else earliest = Math.min(earliest, until)
      }
    },
    get size() {
      return ends.size
    }
  }
}
