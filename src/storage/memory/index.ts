/** The memory engine, for trying out: one process, whose state is lost when it ends. */
import type { Clock } from '../../core/clock.js'
import type { Storage } from '../../core/storage.js'
import type { SigningKeyStore } from '../../core/tokens/signing-key.js'
import { createMemoryDecisionFeed } from './decision-feed.js'
import { createMemoryGrantStore } from './grant-store.js'
import { createMemoryLimitStore } from './limit-store.js'
import { createMemoryLockStore } from './lock-store.js'
import { createMemoryRecordStore } from './record-store.js'
import { createMemoryRefreshFamilyStore } from './refresh-family-store.js'
import { createMemorySigningKeyStore } from './signing-key-store.js'

export function createMemoryStorage(clock: Clock): Storage {
  const { feed, publish } = createMemoryDecisionFeed()
  const issuerKeys = new Map<string, SigningKeyStore>()
  return {
    engine: 'memory',
    grants: createMemoryGrantStore(clock, publish),
    decisions: feed,
    refreshFamilies: createMemoryRefreshFamilyStore(clock),
    authorizations: createMemoryRecordStore(clock),
    apiKeys: createMemoryRecordStore(clock),
    sessions: createMemoryRecordStore(clock),
    identities: createMemoryRecordStore(clock),
    profiles: createMemoryRecordStore(clock),
    users: createMemoryRecordStore(clock),
    connections: createMemoryRecordStore(clock),
    connectionOwners: createMemoryRecordStore(clock),
    locks: createMemoryLockStore(),
    signingKeys: createMemorySigningKeyStore(),
    signingKeysOf(issuerId) {
      const store = issuerKeys.get(issuerId) ?? createMemorySigningKeyStore()
      issuerKeys.set(issuerId, store)
      return store
    },
    issuers: createMemoryRecordStore(clock),
    issuerOwners: createMemoryRecordStore(clock),
    workloads: createMemoryRecordStore(clock),
    domains: createMemoryRecordStore(clock),
    domainHolders: createMemoryRecordStore(clock),
    tenants: createMemoryRecordStore(clock),
    trustedIssuers: createMemoryRecordStore(clock),
    policies: createMemoryRecordStore(clock),
    limits: createMemoryLimitStore(clock),
    open: async () => {},
    check: async () => {},
    close: async () => {}
  }
}
