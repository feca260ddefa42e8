/** The memory engine, for trying out: one process, whose state is lost when it ends. */
import type { Clock } from '../../core/clock.js'
import { createTurns } from '../../core/records/batches.js'
import type { Storage } from '../../core/storage.js'
import type { SigningKeyStore, StoredSigningKey } from '../../core/tokens/signing-key.js'
import { createMemoryDecisionFeed } from './decision-feed.js'
import { createMemoryGrantStore } from './grant-store.js'
import { createMemoryLimitStore } from './limit-store.js'
import { createMemoryLockStore, createMemoryRecordStore } from './record-store.js'
import { createMemoryRefreshFamilyStore } from './refresh-family-store.js'

export function createMemoryStorage(clock: Clock): Storage {
  const { feed, publish } = createMemoryDecisionFeed()
  const turns = createTurns(1)
  const records = () => createMemoryRecordStore(clock, turns)
  const issuerKeys = new Map<string, SigningKeyStore>()
  return {
    engine: 'memory',
    grants: createMemoryGrantStore(clock, publish),
    decisions: feed,
    refreshFamilies: createMemoryRefreshFamilyStore(clock),
    authorizations: records(),
    apiKeys: records(),
    sessions: records(),
    identities: records(),
    profiles: records(),
    connections: records(),
    connectionOwners: records(),
    locks: createMemoryLockStore(),
    signingKeys: createMemorySigningKeyStore(),
    signingKeysOf(issuerId) {
      const store = issuerKeys.get(issuerId) ?? createMemorySigningKeyStore()
      issuerKeys.set(issuerId, store)
      return store
    },
    issuers: records(),
    issuerOwners: records(),
    workloads: records(),
    domains: records(),
    domainHolders: records(),
    tenants: records(),
    trustedIssuers: records(),
    policies: records(),
    limits: createMemoryLimitStore(clock),
    open: async () => {},
    check: async () => {},
    close: async () => {}
  }
}

/** Signing keys, oldest first; they are lost with the process. */
export function createMemorySigningKeyStore(): SigningKeyStore {
  const keys: StoredSigningKey[] = []

  return {
    list: async () => [...keys],

    async succeed(predecessorKid, next, obsolete) {
      if (keys.at(-1)?.kid === predecessorKid) {
        keys.push(next)
        keys.splice(0, keys.length, ...keys.filter(({ kid }) => !obsolete.includes(kid)))
      }
      return [...keys]
    },

    async clear() {
      keys.length = 0
    }
  }
}
