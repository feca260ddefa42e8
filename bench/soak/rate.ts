/** Lives one after the other as fast as they are lived, and lives that begin at a steady rate. */
import { setTimeout as sleep } from 'node:timers/promises'
import { live, type World } from './lives.js'

const AT_ONCE = 32

/** How many requests a second there are when nobody leaves time between them. */
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

/** So many lives a second for so long, however fast they are lived; resolves when the last has ended. */
export async function liveSteadily(world: World, livesPerSecond: number, ms: number): Promise<void> {
  const startedAt = performance.now()
  const living = new Set<Promise<void>>()
  for (let lives = 0; performance.now() < startedAt + ms; lives++) {
    const life = live(world, lives)
    living.add(life)
    void life.finally(() => living.delete(life))
    // By the clock: one that is late is made up for.
    await sleep(Math.max(0, startedAt + ((lives + 1) * 1_000) / livesPerSecond - performance.now()))
  }
  await Promise.all(living)
}
