/** A steady load: a new actor starts at every tick, no matter how far the earlier actors are. */
import { setTimeout as sleep } from 'node:timers/promises'
import { act, type Leftover, planOf } from './actor.js'
import type { Recorder } from './recorder.js'

export interface Load {
  /** How many actors have been started. */
  actors(): number
  /** Starts no more actors. Resolves when all running actors have ended, with their leftovers. */
  end(): Promise<Leftover[]>
}

export interface Pace {
  actorsPerSecond: number
  /** The pause between two uses of a token. */
  pauseMs: number
}

/** `recorderOf` says by which recorder an actor goes, for all of its life. */
export function startLoad(recorderOf: (actor: number) => Recorder, { actorsPerSecond, pauseMs }: Pace): Load {
  const actors: Promise<Leftover | undefined>[] = []
  const startedAt = performance.now()
  let isOver = false

  async function tick(): Promise<void> {
    while (!isOver) {
      actors.push(act(recorderOf(actors.length), actors.length, planOf(actors.length, pauseMs)))
      // The next tick is computed from the start of the load, so that a late tick does not delay those after it.
      await sleep(Math.max(0, startedAt + (actors.length * 1_000) / actorsPerSecond - performance.now()))
    }
  }
  const ticking = tick()

  return {
    actors: () => actors.length,
    async end() {
      isOver = true
      await ticking
      return (await Promise.all(actors)).filter((leftover) => leftover !== undefined)
    }
  }
}
