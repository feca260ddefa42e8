/** The memory engine, for trying out: one process, whose state is lost when it ends. */
import { EVENTS_KEPT } from '../../core/audit/event-store.js'
import type { Clock } from '../../core/clock.js'
import { createTurns } from '../../core/records/turns.js'
import type { Storage } from '../../core/storage.js'
import type { SigningKeyStore } from '../../core/tokens/signing-key.js'
import { createMemoryEventStore } from './event-store.js'
import { createMemoryDecisionFeed, createMemoryGrantStore } from './grant-store.js'
import { createMemoryLimitStore } from './limit-store.js'
import { createMemoryLockStore, createMemorySigningKeyStore } from './lock-and-key-stores.js'
import { createMemoryParentIndex } from './parent-index.js'
import { createMemoryRecordStore } from './record-store.js'
import { createMemoryRefreshFamilyStore } from './refresh-family-store.js'
import { createMemoryRevocationStore } from './revocation-store.js'
import { createMemoryStatusIndexStore } from './status-index-store.js'
import { startSweeps } from './sweeps.js'

const SWEEP_EVERY_MS = 10_000

export interface MemoryStorage extends Storage {
  /** The number of entries that expire: those that have expired count until the next sweep. */
  kept(): number
}

export interface MemoryStorageOptions {
  sweepEveryMs?: number | undefined
  /** How many events of the audit trail are kept, about. */
  eventsKept?: number | undefined
}

export function createMemoryStorage(clock: Clock, options: MemoryStorageOptions = {}): MemoryStorage {
  const { sweepEveryMs = SWEEP_EVERY_MS, eventsKept = EVENTS_KEPT } = options
  const { feed, decided, revoked } = createMemoryDecisionFeed()
  const turns = createTurns(1)
  const issuerKeys = new Map<string, SigningKeyStore>()
  const sweeps = startSweeps(sweepEveryMs)
  const records = () => createMemoryRecordStore(clock, sweeps, turns)
  const readTogether = { apiKeys: records(), issuers: records(), workloads: records() }
  return {
    engine: 'memory',
    grants: createMemoryGrantStore(clock, sweeps, decided),
    decisions: feed,
    revocations: createMemoryRevocationStore(clock, sweeps, revoked),
    statusIndices: createMemoryStatusIndexStore(),
    epochs: records(),
    markers: records(),
    refreshFamilies: createMemoryRefreshFamilyStore(clock, sweeps),
    authorizations: records(),
    authorizationUsers: createMemoryParentIndex(clock, sweeps),
    sessions: records(),
    identities: records(),
    profiles: records(),
    emails: records(),
    users: records(),
    connections: records(),
    connectionUsers: records(),
    locks: createMemoryLockStore(sweeps),
    signingKeys: createMemorySigningKeyStore(),
    signingKeysOf(issuerId) {
      const store = issuerKeys.get(issuerId) ?? createMemorySigningKeyStore()
      issuerKeys.set(issuerId, store)
      return store
    },
    issuerOwners: records(),
    domains: records(),
    domainHolders: records(),
    tenants: records(),
    trustedIssuers: records(),
    policies: records(),
    webhooks: records(),
    ...readTogether,
    limits: createMemoryLimitStore(clock, sweeps, readTogether),
    events: createMemoryEventStore(eventsKept),
    kept: sweeps.kept,
    open: async () => {},
    check: async () => {},
    close: async () => sweeps.stop()
  }
}
