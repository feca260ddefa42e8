/** Waits for conditions that servers need time for. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves as soon as the condition holds. Rejects after fifteen seconds. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await isSo()) return
    await sleep(25)
  }
  throw new Error('it did not come to that')
}
