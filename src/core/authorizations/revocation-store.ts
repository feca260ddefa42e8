/**
 * The storage interface of the revocation feed: what resource servers that verify tokens by themselves must refuse. An entry stands
 * for all tokens of one authorization, has a number and a random tag, and goes some time after the last of these tokens would have
 * ended. Every method is atomic and idempotent, and all but `finish` reject with `unavailable` when the storage cannot answer.
 */

export interface Revocation {
  /** The id of the authorization: `cid` in its access tokens. */
  authorizationId: string
  revokedAtMs: number
  /** When the last access token of the authorization ends. */
  untilMs: number
  /** Its place in the status lists, if it has one (status-index.ts). Instances of versions before them leave it out. */
  statusIndex?: number | undefined
}

/** The authorization of a user. */
export interface Revocable {
  userId: string
  authorizationId: string
}

export type Announcement = Revocation & Revocable

/** A place in the feed, `<number>.<tag>` of the entry before it, or START. */
export type FeedPosition = string

/** Before the first entry. */
export const START: FeedPosition = '0'

/** Whether a text has the form of a position. */
export function isFeedPosition(text: string): boolean {
  return text === START || /^[1-9]\d{0,14}\.[A-Za-z0-9_-]{12,24}$/.test(text)
}

export interface FeedPage {
  /** In the order of their announcement. Some may have ended. */
  revocations: Revocation[]
  /** Where the next page begins. */
  next: FeedPosition
  /** Whether there is a next page by now. */
  isMore: boolean
}

/** The entries of this many numbers are remembered for ever, so that who has read one of them may go on from there. */
export const REMEMBERED_ENTRIES = 4_096
/** An entry outlives its tokens by this much, because the clocks of instances and of resource servers differ. */
export const KEPT_AFTER_MS = 60_000
/** A new entry replaces one that ends more than this too early, so that those who have read it are told as well. */
export const LASTS_LONGER_MS = 30_000
/** What `sweep` does in one step: so much holds up nobody else. */
export const SWEPT_AT_ONCE = 250

export interface RevocationStore {
  /**
   * Announces what is about to be revoked, up to LARGEST_PAGE authorizations: each gets an entry unless it has one that lasts as long
   * (LASTS_LONGER_MS), and is noted as unfinished. Publishes on the DecisionFeed that there is an entry. Resolves once replicas that are waited for have it.
   */
  announce(announcements: readonly Announcement[]): Promise<void>
  /** Notes that what was announced is done. Best effort. */
  finish(done: readonly Revocable[]): Promise<void>
  /**
   * Resolves to announced revocations that nobody has finished for `forMs`, SWEPT_AT_ONCE at most, which begins that time anew for
   * them. Drops as many entries, at most, that have ended.
   */
  sweep(forMs: number): Promise<{ unfinished: Revocable[]; dropped: number }>
  /**
   * The entries after a position. `gone` if this feed has no entry of that number and tag, or none that it remembers: entries may
   * have been lost, or missed.
   */
  page(after: FeedPosition, most: number): Promise<FeedPage | 'gone'>
  /** The position after the newest entry that there ever was. */
  head(): Promise<FeedPosition>
}
