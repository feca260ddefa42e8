/**
 * Held polls (`Prefer: wait`, RFC 7240 §4.3): polls of this instance that are answered only when their grant is decided, and
 * readers of the revocation feed, who have one place together. Keeps who waits, by grant, and ends their waits; what happens
 * arrives by the DecisionFeed, and polls.ts and revocation-feed.ts then ask the store for it.
 */
import type { DecisionFeed } from './grant-store.js'

export const LONGEST_WAIT_SECONDS = 30
/** The place of the readers among those of grants, of which none has such a digest. */
const READERS = 'readers'
/** How many of the held polls of an instance may be readers of the revocation feed. */
const MOST_READERS = 500
/** One address holds this part of an instance's places at most, but never fewer than `ALWAYS_PER_ADDRESS`: many people share some. */
const SHARE_PER_ADDRESS = 1 / 10
const ALWAYS_PER_ADDRESS = 100

/** Who waits. */
export interface Waiting {
  /** Aborted when the caller disconnects. */
  gone: AbortSignal
  /** What the caller's address is counted as; undefined for one that is not counted. */
  from?: string | undefined
}

export interface Wait extends Waiting {
  /** The requested wait, capped at LONGEST_WAIT_SECONDS. */
  seconds: number
}

/**
 * Why a wait ended. `decided`: the grant was, or it was withdrawn; to a reader, that something is revoked. `missed`: the feed was
 * down, so a decision may have been missed. `over`: the time is up. `replaced`: another poll of the grant is held instead. `gone`: the
 * caller disconnected. `stopping`: the instance stops.
 */
export type WaitEnd = 'decided' | 'missed' | 'over' | 'replaced' | 'gone' | 'stopping'

export interface HeldPoll {
  /** Resolves when the wait ends; at once if an event came since `enter` or the last wait. Supports one wait at a time. */
  wait(forMs: number): Promise<WaitEnd>
  /** Frees the place. */
  leave(): void
}

export interface HeldGrantPoll extends HeldPoll {
  /**
   * Ends the wait of the poll of this grant that took over before, unless the caller of this one has gone. One is held for each grant,
   * the latest: a proxy may not tell that the client before has left, and a client that lost its connection comes again. Whoever
   * has not taken over hears of everything, but ends nobody's wait, and nobody ends theirs.
   */
  takeOver(): void
}

export interface HeldPolls {
  /** A place to wait in for the decision of a grant. Undefined if none is free, the feed is down or the instance stops. */
  enter(grantDigest: string, who: Waiting): HeldGrantPoll | undefined
  /** The same for a reader of the revocation feed, of whom there may be many. */
  enterAsReader(who: Waiting): HeldPoll | undefined
  /** Ends the waits of all readers: something may have been missed. */
  wakeReaders(): void
  /** Ends all waits and refuses new ones, because the instance stops. */
  stop(): void
  /** The number of polls held now. */
  count(): number
}

export function createHeldPolls(feed: DecisionFeed, most: number): HeldPolls {
  const mostPerAddress = Math.max(ALWAYS_PER_ADDRESS, Math.floor(most * SHARE_PER_ADDRESS))
  const places = new Map<string, Set<(why: WaitEnd) => void>>()
  /** Of the places of a grant the one that took over. */
  const holders = new Map<string, (why: WaitEnd) => void>()
  const byAddress = new Map<string, number>()
  let count = 0
  let isStopping = false

  const endThese = (what: string, why: WaitEnd) => {
    for (const end of places.get(what) ?? []) end(why)
  }
  const endAll = (why: WaitEnd) => {
    for (const enders of places.values()) for (const end of enders) end(why)
  }
  feed.listen({
    decided: (grantDigest) => endThese(grantDigest, 'decided'),
    revoked: () => endThese(READERS, 'decided'),
    resumed: () => endAll('missed')
  })

  const isRefused = ({ gone, from }: Waiting) =>
    isStopping ||
    !feed.isUp() ||
    gone.aborted ||
    count >= most ||
    (from !== undefined && (byAddress.get(from) ?? 0) >= mostPerAddress)

  function countAt(from: string | undefined, change: 1 | -1): void {
    count += change
    if (from === undefined) return
    const left = (byAddress.get(from) ?? 0) + change
    if (left > 0) byAddress.set(from, left)
    else byAddress.delete(from)
  }

  function take(what: string, { gone, from }: Waiting): HeldGrantPoll {
    const enders = places.get(what) ?? new Set()
    let news: WaitEnd | undefined
    let waiting: ((why: WaitEnd) => void) | undefined
    const end = (why: WaitEnd) => {
      // That something may have been missed says less than all else, and a decision is final.
      if (news === undefined || news === 'missed' || why === 'decided') news = why
      waiting?.(news)
    }
    const onGone = () => end('gone')
    gone.addEventListener('abort', onGone, { once: true })
    places.set(what, enders.add(end))
    countAt(from, 1)

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
      takeOver() {
        if (gone.aborted) return
        const before = holders.get(what)
        holders.set(what, end)
        if (before !== end) before?.('replaced')
      },
      leave() {
        gone.removeEventListener('abort', onGone)
        if (!enders.delete(end)) return
        if (holders.get(what) === end) holders.delete(what)
        countAt(from, -1)
        // Another set may have begun for the same meanwhile.
        if (enders.size === 0 && places.get(what) === enders) places.delete(what)
      }
    }
  }

  return {
    enter: (grantDigest, who) => (isRefused(who) ? undefined : take(grantDigest, who)),

    enterAsReader(who) {
      const isFull = (places.get(READERS)?.size ?? 0) >= MOST_READERS
      return isFull || isRefused(who) ? undefined : take(READERS, who)
    },

    wakeReaders: () => endThese(READERS, 'missed'),

    stop() {
      isStopping = true
      endAll('stopping')
    },

    count: () => count
  }
}
