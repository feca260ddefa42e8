/** Measures promised times less what the machine holds up, so that no bound has to guess how busy it is. */
import { setTimeout as sleep } from 'node:timers/promises'

/** Not shorter: a busy machine wakes everybody late, and whoever waits for one thing is late only once, however often others tick. */
const TICK_MS = 100
/** A timer is always a little late. */
const NOT_LATE_MS = 10

/**
 * Starts a stopwatch that stands still while this process is held up; and whoever `ask` asks, if it is given: it is asked over and
 * over, for something that takes no time. Returns the milliseconds so far. It runs until the test ends.
 */
export function startStopwatch(
  t: { teardown(handler: () => unknown): void },
  ask: () => Promise<unknown> = async () => {}
): () => number {
  const startedAt = performance.now()
  let tickAt = startedAt
  let heldUpMs = 0
  let isOver = false
  const lateMs = () => {
    const late = performance.now() - tickAt - TICK_MS
    return late > NOT_LATE_MS ? late : 0
  }
  async function tick(): Promise<void> {
    while (!isOver) {
      tickAt = performance.now()
      await sleep(TICK_MS)
      await ask()
      heldUpMs += lateMs()
    }
  }
  const ticking = tick()
  t.teardown(() => {
    isOver = true
    return ticking
  })
  return () => performance.now() - startedAt - heldUpMs - lateMs()
}
