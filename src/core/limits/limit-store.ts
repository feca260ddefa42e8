/** What the limits need from storage. Both methods are atomic and reject with `unavailable` when they could not count. */
export interface LimitStore {
  /** Counts one hit in a window that opens with the first hit. A repeated write can only count too much. */
  hit(key: string, windowMs: number): Promise<{ count: number; resetsInMs: number }>

  /**
   * Takes one of `limit` attempts, each of which is given back or comes free `windowMs` after it was taken.
   * `attemptId` makes a repeated take the same take. Answers undefined, or how long until one comes free.
   */
  take(key: string, attemptId: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /** Gives an attempt back, because it was none. */
  giveBack(key: string, attemptId: string): Promise<void>
}

/** Names what is counted. Parts that come from outside cannot run into each other. */
export function limitKey(...parts: string[]): string {
  return parts.map(encodeURIComponent).join(':')
}
