/** Runs lives as fast as the service answers them, or starts lives at a steady rate. */
import { setTimeout as sleep } from 'node:timers/promises'
import { live, type World } from './lives.js'

const AT_ONCE = 32

/** Measures the requests per second when no client pauses between its polls. */
export async function measureHighestRate(world: World, ms: number): Promise<number> {
  const startedAt = performance.now()
  const before = world.ledger.requests()
  let lives = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() < startedAt + ms) await live(world, lives++)
    })
  )
  return ((world.ledger.requests() - before) * 1_000) / (performance.now() - startedAt)
}

/** Starts lives at a steady rate for `ms`, however long each takes. Resolves when the last one has ended. */
export async function liveSteadily(world: World, livesPerSecond: number, ms: number): Promise<void> {
  const startedAt = performance.now()
  const living = new Set<Promise<void>>()
  for (let lives = 0; performance.now() < startedAt + ms; lives++) {
    const life = live(world, lives)
    living.add(life)
    void life.finally(() => living.delete(life))
    // The next start is computed from the beginning of the load, so that a late start does not delay those after it.
    await sleep(Math.max(0, startedAt + ((lives + 1) * 1_000) / livesPerSecond - performance.now()))
  }
  await Promise.all(living)
}
