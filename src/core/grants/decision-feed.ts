/** How an instance hears that a grant was decided, on whichever instance that was. */

export interface DecisionListener {
  /** This grant has been decided. Told at most once, and not at all while the feed is down. */
  decided(grantDigest: string): void
  /** The feed was down and is up again: something may have been missed. */
  resumed(): void
}

export interface DecisionFeed {
  /** Whether a decision taken now would be heard of. */
  isUp(): boolean
  listen(listener: DecisionListener): void
}
