/** The decision feed of the memory engine: decisions are passed on within the process, so the feed is never down. */
import type { DecisionFeed, DecisionListener } from '../../core/grants/grant-store.js'

export function createMemoryDecisionFeed(): { feed: DecisionFeed; publish(grantDigest: string): void } {
  const listeners: DecisionListener[] = []
  return {
    feed: { isUp: () => true, listen: (listener) => void listeners.push(listener) },
    publish(grantDigest) {
      for (const { decided } of listeners) decided(grantDigest)
    }
  }
}
