/** How much work something is, told by a fixed piece of work in the same process: so it does not depend on the machine. */

/** In pieces of work that take some ten milliseconds where nothing else runs. Of the processor's time: waiting is no work. */
export async function effortOf(work: () => unknown, rounds = 3): Promise<number> {
  let [least, piece] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let round = 0; round < rounds; round++) {
    // One after the other, so that what slows one of them down slows the other as well; what interrupts one is not measured.
    piece = Math.min(piece, await processorMs(onePiece))
    least = Math.min(least, await processorMs(work))
  }
  return least / piece
}

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
