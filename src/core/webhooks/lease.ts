/**
 * The lease of the lead, by two clocks. The one of this process cannot be set, but stands still while the machine is suspended; the time
 * of day goes on meanwhile. Whichever has moved on further counts.
 */
import type { Clock } from '../clock.js'

/** A moment by both clocks. */
interface Moment {
  steadyMs: number
  atMs: number
}

const NEVER: Moment = { steadyMs: Number.NEGATIVE_INFINITY, atMs: Number.NEGATIVE_INFINITY }

/** `ended` is called when it has ended by the clock of this process; by the other one it has ended when `leftMs` says so. */
export function createLease(forMs: number, clock: Clock, ended: () => void) {
  let begunAt = NEVER
  let timer: NodeJS.Timeout | undefined

  const now = (): Moment => ({ steadyMs: performance.now(), atMs: clock() })

  /** How much of it is left; none if it was never taken. */
  function leftMs(): number {
    const { steadyMs, atMs } = now()
    return forMs - Math.max(steadyMs - begunAt.steadyMs, atMs - begunAt.atMs)
  }

  return {
    now,
    leftMs,

    /** It is taken anew, from the moment on in which it was asked for. */
    renew(askedAt: Moment): void {
      begunAt = askedAt
      clearTimeout(timer)
      timer = setTimeout(ended, leftMs()).unref()
    },

    /** Nobody is told of its end any more. */
    forget: () => clearTimeout(timer)
  }
}
