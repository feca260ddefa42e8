/** When something was last used is written down no more often than this, and so is at most as far behind. */
const LAST_USE_SAMPLE_MS = 60_000

/** Whether a use is to be written down, the last one that was being then. */
export function isWorthNoting(lastUsedAtMs: number | undefined, nowMs: number): boolean {
  return nowMs - (lastUsedAtMs ?? 0) >= LAST_USE_SAMPLE_MS
}
