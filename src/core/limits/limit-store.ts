/**
 * The storage interface of the limits. Every method is atomic and rejects with `unavailable` when the storage cannot answer.
 */
export interface LimitStore {
  /** Counts one hit in a fixed window that opens with the first hit. Not idempotent: a retried call counts twice. */
  hit(key: string, windowMs: number): Promise<{ count: number; resetsInMs: number }>

  /**
   * Takes one of `limit` attempts; it comes free when it is given back, or `windowMs` after it was taken. Idempotent for the
   * same `attemptId`. Resolves to undefined if the attempt was taken, otherwise to the time until one comes free.
   */
  take(key: string, attemptId: string, limit: number, windowMs: number): Promise<{ freeInMs: number } | undefined>

  /** Frees an attempt before its window ends. Idempotent. */
  giveBack(key: string, attemptId: string): Promise<void>
}

/** The name of a counter. Its parts are percent-encoded, so that untrusted parts cannot contain the separator. */
export function limitKey(...parts: string[]): string {
  return parts.map(encodeURIComponent).join(':')
}
