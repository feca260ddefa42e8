/**
 * Held polls (`Prefer: wait`, RFC 7240 §4.3): polls of this instance that are answered only when their grant is decided, and
 * readers of the revocation feed, whose place is named REVOCATIONS. Keeps who waits, by grant, and ends their waits; what happens
 * arrives by the DecisionFeed, and polls.ts and revocation-feed.ts then ask the store for it.
 */
import type { DecisionFeed } from './grant-store.js'

export const LONGEST_WAIT_SECONDS = 30
/** A client has one poll under way, or two after it lost the connection of the first. */
const MOST_PER_GRANT = 2

export interface Wait {
  /** The requested wait, capped at LONGEST_WAIT_SECONDS. */
  seconds: number
  /** Aborted when the caller disconnects. */
  gone: AbortSignal
}

/**
 * Why a wait ended. `decided`: the grant was, or it was withdrawn. `missed`: the feed was down, so a decision may have been
 * missed. `over`: the time is up. `gone`: the caller disconnected. `stopping`: the instance stops.
 */
export type WaitEnd = 'decided' | 'missed' | 'over' | 'gone' | 'stopping'

export interface HeldPoll {
  /** Resolves when the wait ends; at once if an event came since `enter` or the last wait. Supports one wait at a time. */
  wait(forMs: number): Promise<WaitEnd>
  /** Frees the place. */
  leave(): void
}

export interface HeldPolls {
  /**
   * A place to wait in, for a grant or for REVOCATIONS, of which there are `mostOfThese`. Undefined if none is free, the feed is down
   * or the instance stops. `gone` aborts the wait.
   */
  enter(grantDigest: string, gone: AbortSignal, mostOfThese?: number): HeldPoll | undefined
  /** Ends all waits for this: something may have been missed. */
  wake(grantDigest: string): void
  /** Ends all waits and refuses new ones, because the instance stops. */
  stop(): void
  /** The number of polls held now. */
  count(): number
}

export function createHeldPolls(feed: DecisionFeed, most: number): HeldPolls {
  const places = new Map<string, Set<(why: WaitEnd) => void>>()
  let count = 0
  let isStopping = false

  const endThese = (grantDigest: string, why: WaitEnd) => {
    for (const end of places.get(grantDigest) ?? []) end(why)
  }
  const endAll = (why: WaitEnd) => {
    for (const enders of places.values()) for (const end of enders) end(why)
  }
  feed.listen({
    decided: (grantDigest) => endThese(grantDigest, 'decided'),
    resumed: () => endAll('missed')
  })

  return {
    enter(grantDigest, gone, mostOfThese = MOST_PER_GRANT) {
      const enders = places.get(grantDigest) ?? new Set()
      if (isStopping || !feed.isUp() || gone.aborted || count >= most || enders.size >= mostOfThese) return undefined
      let news: WaitEnd | undefined
      let waiting: ((why: WaitEnd) => void) | undefined
      const end = (why: WaitEnd) => {
        // A decision is final, so no later event may replace it.
        if (news !== 'decided') news = why
        waiting?.(news)
      }
      const onGone = () => end('gone')
      gone.addEventListener('abort', onGone, { once: true })
      places.set(grantDigest, enders.add(end))
      count += 1

      return {
        wait(forMs) {
          return new Promise((resolve) => {
            // One timer per held poll is cheap: their number is capped, and Node keeps timers of equal length in one list.
            const timer = setTimeout(() => end('over'), forMs)
            waiting = (why) => {
              clearTimeout(timer)
              waiting = undefined
              news = undefined
              resolve(why)
            }
            if (news) waiting(news)
          })
        },
        leave() {
          gone.removeEventListener('abort', onGone)
          if (!enders.delete(end)) return
          count -= 1
          if (enders.size === 0) places.delete(grantDigest)
        }
      }
    },

    wake: (grantDigest) => endThese(grantDigest, 'missed'),

    stop() {
      isStopping = true
      endAll('stopping')
    },

    count: () => count
  }
}
