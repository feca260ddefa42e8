/** Builds the services of this folder over the storage, in the order of their dependencies. */
import type { LimitStore } from '../limits/limits.js'
import type { Rule } from '../rules/rule.js'
import type { DecisionFeed, GrantStore } from './grant-store.js'
import { createGrants, type GrantsParts } from './grants.js'
import { createHeldPolls } from './held-polls.js'
import { createPendingGrants, type PendingBounds } from './pending-grants.js'
import { createPendingList } from './pending-list.js'

type Made = 'store' | 'heldPolls' | 'pending' | 'rules' | 'grantTtlSeconds' | 'pollIntervalSeconds'

export interface GrantServicesParts extends Omit<GrantsParts, Made> {
  storage: { readonly grants: GrantStore; readonly decisions: DecisionFeed; readonly limits: LimitStore }
  config: {
    readonly rules: readonly Rule[]
    readonly heldPolls: number
    readonly grantTtlSeconds: number
    readonly pollIntervalSeconds: number
  }
  pending: PendingBounds | undefined
}

export function createGrantServices({ storage, config, pending, ...parts }: GrantServicesParts) {
  const { grants: store, limits } = storage
  const { rules, grantTtlSeconds, pollIntervalSeconds } = config
  const heldPolls = createHeldPolls(storage.decisions, config.heldPolls)
  return {
    heldPolls,
    grants: createGrants({
      ...parts,
      ...{ store, heldPolls, rules, grantTtlSeconds, pollIntervalSeconds },
      pending: createPendingGrants(limits, pending)
    }),
    pendingList: createPendingList({ limits, store, clients: parts.clients, grantTtlSeconds })
  }
}
