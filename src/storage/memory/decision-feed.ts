/** Decisions in this process's memory: it is the only instance there is, so it hears of everything at once. */
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
