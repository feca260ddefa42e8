/**
 * Measures how much work a function is, in units of a fixed piece of work, so that the figure does not depend on the
 * machine.
 */

/**
 * Returns the CPU time of `work` in pieces of work that take about ten milliseconds on an idle core. Waiting does not
 * count.
 */
export async function effortOf(work: () => unknown, rounds = 3): Promise<number> {
  let [least, piece] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < rounds; round++) {
    // Both run in turn, so that a slow machine slows both. The least of all rounds is the one with the fewest
    // interruptions.
    piece = Math.min(piece, await processorMs(onePiece))
    least = Math.min(least, await processorMs(work))
  }
  return least / piece
}

/**
 * Begins to count the time that this process has, and a service in it: a stall of the machine is one beat, however long it is. The
 * returned function says how many milliseconds it was so far. The test ends it.
 */
export function countOwnMs(t: { teardown(handler: () => unknown): void }): () => number {
  let beats = 0
  const timer = setInterval(() => {
    beats += 1
  }, BEAT_MS)
  t.teardown(() => clearInterval(timer))
  return () => beats * BEAT_MS
}
/** So long that what holds up every beat a little, as on a busy machine, leaves most of the time counted. */
const BEAT_MS = 500

async function processorMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

function onePiece(): number {
  let state = 1
  for (let i = 0; i < 8_000_000; i++) state = Math.imul(state ^ (state >>> 15), 2_246_822_519) | 1
  return state
}
