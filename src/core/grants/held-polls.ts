/**
 * Polls that are held until there is something to say (RFC 7240 `wait`). Owns who waits on this instance, for which grant,
 * and what ends a wait; that a decision was taken comes from the feed, what it means is service.ts's to find out.
 */
import type { DecisionFeed } from './grant-store.js'

export const LONGEST_WAIT_SECONDS = 30
/** A client has one poll under way, or a second one when it has lost sight of the first. */
const MOST_PER_GRANT = 2

/** Why a wait ended. `missed`: a decision may have gone unheard. `over`: its time is up. `gone`: nobody waits any more. */
export type WaitEnd = 'decided' | 'missed' | 'over' | 'gone' | 'stopping'

export interface HeldPoll {
  /** Resolves when the wait ends; what happened since the poll was let in counts. Not to be called twice at a time. */
  wait(forMs: number): Promise<WaitEnd>
  /** Gives the place back. */
  leave(): void
}

export interface HeldPolls {
  /** A place to wait in, or undefined: there is none free, or nothing would be heard. `gone` ends the wait. */
  enter(grantDigest: string, gone: AbortSignal): HeldPoll | undefined
  /** Ends all waits, and lets nobody in any more: the instance stops. */
  stop(): void
  count(): number
}

export function createHeldPolls(feed: DecisionFeed, most: number): HeldPolls {
  const places = new Map<string, Set<(why: WaitEnd) => void>>()
  let count = 0
  let isStopping = false

  const endAll = (why: WaitEnd) => {
    for (const enders of places.values()) for (const end of enders) end(why)
  }
  feed.listen({
    decided(grantDigest) {
      for (const end of places.get(grantDigest) ?? []) end('decided')
    },
    resumed: () => endAll('missed')
  })

  return {
    enter(grantDigest, gone) {
      const enders = places.get(grantDigest) ?? new Set()
      if (isStopping || !feed.isUp() || gone.aborted || count >= most || enders.size >= MOST_PER_GRANT) return undefined
      let news: WaitEnd | undefined
      let waiting: ((why: WaitEnd) => void) | undefined
      const end = (why: WaitEnd) => {
        // A decision is the last that can happen to a grant; whoever hears of it need not hear anything else.
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
            // One timer for each held request, and those are bounded; Node keeps timers of the same length in one list.
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

    stop() {
      isStopping = true
      endAll('stopping')
    },

    count: () => count
  }
}
