/** What is to end after a restore, and what that comes to in numbers. */
import type { Family } from './keyspace.js'
import type { TakenAway } from './taken-away.js'
import type { TakenAwayCounts } from './taking-away.js'

/** `since-backup`: what the log has, and no more. */
export type WhatEnds =
  | { kind: 'everything'; keepsApiKeys: boolean }
  | { kind: 'since-backup'; taken: TakenAway; sinceMs: number }

/** What is to be ended, or was. Lists of records are not counted beside their records. */
export interface RestoreCounts {
  keys: Partial<Record<Family, number>>
  /** Signing keys of the service itself that are older than its last epoch. */
  signingKeys: number
  /** What the log has and is not so yet. */
  takenAway?: TakenAwayCounts
}

/** Whether there is anything to clean. */
export function isClean({ keys, signingKeys, takenAway }: RestoreCounts): boolean {
  const counts = [...Object.values(keys), signingKeys, ...Object.values(takenAway ?? {})]
  return counts.every((count) => count === 0)
}
