/** Watches what an instance says of itself at /readyz, as a balancer does. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createTransport } from '../faults/transport.js'

export interface Readiness {
  /** When it was first not ready after this time; undefined if it was ready all the time. */
  firstDown(from: number): number | undefined
  /** When it became ready after the last time it was not; undefined if it is not. */
  upSince(): number | undefined
  end(): Promise<void>
}

const LOOK_EVERY_MS = 100

export function watchReadiness(url: string): Readiness {
  const transport = createTransport(url)
  const changes: { isReady: boolean; at: number }[] = []
  let isOver = false

  async function look(): Promise<void> {
    while (!isOver) {
      const { status } = await transport.send({ method: 'GET', path: '/readyz' })
      const isReady = status === 200
      if (changes.at(-1)?.isReady !== isReady) changes.push({ isReady, at: performance.now() })
      await sleep(LOOK_EVERY_MS)
    }
  }
  const looking = look()

  return {
    firstDown: (from) => changes.find(({ isReady, at }) => !isReady && at >= from)?.at,
    upSince: () => (changes.at(-1)?.isReady ? changes.at(-1)?.at : undefined),
    async end() {
      isOver = true
      await looking
      transport.close()
    }
  }
}
