/**
 * Lets faults happen while a soak runs. They come in rounds of half an hour, or in one if the soak is shorter: one after the
 * other in the first half, while the second half is left alone, so that what they leave behind is seen.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SoakFault } from './faults.js'
import type { Trouble } from './trouble.js'

const ROUND_MS = 30 * 60_000

/** When each fault is due, in milliseconds from the beginning: a row for each round. */
export function roundsOf(ms: number, faults: number): number[][] {
  const roundMs = Math.min(ms, ROUND_MS)
  const everyMs = roundMs / 2 / (faults + 1)
  return Array.from({ length: Math.floor(ms / roundMs) }, (_, round) =>
    Array.from({ length: faults }, (_, i) => round * roundMs + (i + 1) * everyMs)
  )
}

/** Resolves when all have happened; rejects if one of them could not be repaired. */
export async function letHappen(faults: readonly SoakFault[], ms: number, trouble: Trouble): Promise<void> {
  const startedAt = performance.now()
  for (const [round, times] of roundsOf(ms, faults.length).entries()) {
    for (const [i, { name, happens }] of faults.entries()) {
      await sleep(Math.max(0, startedAt + (times[i] as number) - performance.now()))
      console.error(`${Math.round((performance.now() - startedAt) / 1_000)} s: ${name}`)
      await trouble.during(name, () => happens(round))
    }
  }
}
