/** A steady load: an actor comes at every tick, however the others fare. */
import { setTimeout as sleep } from 'node:timers/promises'
import { act, type Leftover, planOf } from './actor.js'
import type { Recorder } from './recorder.js'

export interface Load {
  /** No more come; resolves when all that came have gone, to what they leave behind. */
  end(): Promise<Leftover[]>
}

export interface Pace {
  actorsPerSecond: number
  /** Between two uses of a token. */
  pauseMs: number
}

export function startLoad(recorder: Recorder, { actorsPerSecond, pauseMs }: Pace): Load {
  const actors: Promise<Leftover | undefined>[] = []
  const startedAt = performance.now()
  let isOver = false

  async function tick(): Promise<void> {
    while (!isOver) {
      actors.push(act(recorder, actors.length, planOf(actors.length, pauseMs)))
      // By the clock: a tick that is late is made up for.
      await sleep(Math.max(0, startedAt + (actors.length * 1_000) / actorsPerSecond - performance.now()))
    }
  }
  const ticking = tick()

  return {
    async end() {
      isOver = true
      await ticking
      return (await Promise.all(actors)).filter((leftover) => leftover !== undefined)
    }
  }
}
