/** Waits for conditions that servers need time for. */
import { setTimeout as sleep } from 'node:timers/promises'

/** After this time it is said where a file waits, for the case that it hangs. */
const SAID_AFTER_MS = 60_000

/**
 * Resolves as soon as the condition holds. There is no time limit, because a busy machine may be slow: tap ends a file that
 * hangs.
 */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const asked = new Error('it has not come to that for a minute')
  const saying = setTimeout(() => process.stderr.write(`${asked.stack}\n`), SAID_AFTER_MS)
  try {
    while (!(await isSo())) await sleep(25)
  } finally {
    clearTimeout(saying)
  }
}
