/** The interface that a storage engine implements: every store the core needs, and the engine's own health. */
import type { DecisionFeed, GrantStore } from './grants/grant-store.js'
import type { LimitStore } from './limits/limit-store.js'
import type { RecordStore } from './records/record-store.js'
import type { RefreshFamilyStore } from './tokens/refresh-family.js'
import type { SigningKeyStore } from './tokens/signing-key.js'

export interface Storage {
  readonly engine: 'memory' | 'redis'
  readonly grants: GrantStore
  readonly decisions: DecisionFeed
  readonly refreshFamilies: RefreshFamilyStore
  readonly authorizations: RecordStore
  readonly apiKeys: RecordStore
  readonly sessions: RecordStore
  readonly identities: RecordStore
  readonly profiles: RecordStore
  readonly users: RecordStore
  readonly connections: RecordStore
  readonly connectionOwners: RecordStore
  readonly locks: LockStore
  readonly signingKeys: SigningKeyStore
  /** The signing keys of one issuer; `signingKeys` are those of the service itself. */
  signingKeysOf(issuerId: string): SigningKeyStore
  readonly issuers: RecordStore
  readonly issuerOwners: RecordStore
  readonly workloads: RecordStore
  readonly domains: RecordStore
  readonly domainHolders: RecordStore
  readonly tenants: RecordStore
  readonly trustedIssuers: RecordStore
  readonly policies: RecordStore
  readonly limits: LimitStore
  /**
   * Waits a few seconds for the engine. Rejects when the engine answers but is unfit (too old, misconfigured). An unreachable
   * engine does not reject: the connection is retried in the background, and `check` reports it.
   */
  open(): Promise<void>
  /** Resolves if the engine answers and is fit for use; otherwise rejects with `unavailable` and the reason as its detail. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Called after each round trip, with the name of the command or script and its duration in seconds. */
export type LatencyObserver = (command: string, seconds: number) => void

/**
 * Locks shared by all instances, for work that only one of them should do at a time. A lock expires by itself, so a slow holder
 * may overlap with the next one: what it writes must be a compare-and-set (`onlyIf` in records/record-store.ts). Both methods are idempotent, and reject
 * with `unavailable` when the storage cannot answer.
 */
export interface LockStore {
  /**
   * Takes a lock for `forMs` unless another holder has it. `holder` is unique to the attempt, so that a retry finds its own
   * lock.
   */
  acquire(name: string, holder: string, forMs: number): Promise<boolean>
  /** Releases the lock, if this holder still has it. */
  release(name: string, holder: string): Promise<void>
}
