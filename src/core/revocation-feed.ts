/** What resource servers read of the revocation feed, at once or held (`Prefer: wait`). authorizations/revoking.ts fills it. */
import type { FeedPage, FeedPosition, Revocation, RevocationStore } from './authorizations/revocation-store.js'
import { isFeedPosition, START } from './authorizations/revocation-store.js'
import type { Clock } from './clock.js'
import { fault } from './fault.js'
import type { DecisionListener } from './grants/grant-store.js'
import { type HeldPolls, LONGEST_WAIT_SECONDS, type Wait } from './grants/held-polls.js'

/** So many entries are some hundred kilobytes. They are asked for in pieces, between which the storage serves others. */
const LARGEST_PAGE = 1_000
const PIECE = 200
/** How often an instance with readers looks whether it missed something. */
const LOOK_EVERY_MS = 1_000

/** `gone`: start over. */
export type FeedReading = FeedPage | 'gone'

/** Both reject with `invalid_request` where the cursor has no form of one, and with `unavailable`. */
export interface RevocationFeed {
  /** What was revoked after a cursor, without one everything in force; a page of it. */
  read(cursor?: string): Promise<FeedReading>
  /**
   * The same, held while there is nothing: until there is, or the end of the wait, the caller's disconnection or the instance's stop.
   * `waitSeconds` is the wait that applied; undefined if it was not held for want of a place.
   */
  readAndWait(cursor: string, wait: Wait): Promise<{ reading: FeedReading; waitSeconds?: number }>
}

export interface RevocationFeedParts {
  store: RevocationStore
  decisions: { listen(listener: DecisionListener): void }
  heldPolls: HeldPolls
  clock: Clock
}

export function createRevocationFeed({ store, decisions, heldPolls, clock }: RevocationFeedParts): RevocationFeed {
  /** Counts what wakes readers. */
  let wakings = 0
  /** What readers that were woken together read, once for all of them. */
  const shared = new Map<string, Promise<FeedReading>>()
  let readers = 0
  let timer: NodeJS.Timeout | undefined
  let seen: FeedPosition | undefined

  // Their waits end in the same step, and they go on after it.
  const woken = () => {
    wakings += 1
  }
  decisions.listen({ decided() {}, revoked: woken, resumed: woken })

  function positionOf(cursor: string): FeedPosition {
    if (!isFeedPosition(cursor)) throw fault('invalid_request', { hint: 'The cursor is not one of this list' })
    return cursor
  }

  async function readAt(position: FeedPosition): Promise<FeedReading> {
    const revocations: Revocation[] = []
    let next = position
    for (let read = 0; ; read += PIECE) {
      const page = await store.page(next, PIECE)
      if (page === 'gone') return page
      revocations.push(...page.revocations.filter(({ untilMs }) => untilMs > clock()))
      next = page.next
      if (!page.isMore || read + PIECE >= LARGEST_PAGE) return { ...page, revocations }
    }
  }

  /** Only for who was woken: a reading that began before a request may lack what was revoked before it. */
  function readTogether(position: FeedPosition): Promise<FeedReading> {
    const name = `${wakings} ${position}`
    const reading = shared.get(name) ?? readAt(position).finally(() => shared.delete(name))
    shared.set(name, reading)
    return reading
  }

  /** One look for all readers. They are there before they read, so that a change between two looks wakes all whom it concerns. */
  async function look(): Promise<void> {
    try {
      const head = await store.head()
      if (head === seen) return
      seen = head
      wakings += 1
      heldPolls.wakeReaders()
    } catch {
      // Who is held is held on: there is another look soon, and whoever reads is told what is wrong.
    }
  }

  function count(change: 1 | -1): void {
    readers += change
    if (readers > 0) timer ??= setInterval(look, LOOK_EVERY_MS).unref()
    else {
      clearInterval(timer)
      timer = undefined
      seen = undefined
    }
  }

  return {
    read: async (cursor = START) => readAt(positionOf(cursor)),

    async readAndWait(cursor, { seconds, ...who }) {
      const position = positionOf(cursor)
      const waitSeconds = Math.min(seconds, LONGEST_WAIT_SECONDS)
      const place = heldPolls.enterAsReader(who)
      if (!place) return { reading: await readAt(position) }
      count(1)
      try {
        const untilMs = performance.now() + waitSeconds * 1000
        let reading = await readAt(position)
        while (reading !== 'gone' && reading.revocations.length === 0 && !reading.isMore) {
          const end = await place.wait(Math.max(0, untilMs - performance.now()))
          if (end !== 'decided' && end !== 'missed') break
          reading = await readTogether(reading.next)
        }
        return { reading, waitSeconds }
      } finally {
        place.leave()
        count(-1)
      }
    }
  }
}
