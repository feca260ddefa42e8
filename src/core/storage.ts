/** One engine, as the plugins see it: every store the domain needs, and its own state of health. */
import type { DecisionFeed, GrantStore } from './grants/grant-store.js'
import type { LimitStore } from './limits/limit-store.js'
import type { LockStore } from './records/lock-store.js'
import type { RecordStore } from './records/record-store.js'
import type { RefreshFamilyStore } from './tokens/refresh-family-store.js'
import type { SigningKeyStore } from './tokens/signing-key-store.js'

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
  readonly connections: RecordStore
  readonly connectionOwners: RecordStore
  readonly locks: LockStore
  readonly signingKeys: SigningKeyStore
  /** Those of one issuer for machines. */
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
   * Waits a while for the engine. Throws when it must not be used as it is; one that is merely away is no reason to,
   * it is tried again and again, and `check` tells.
   */
  open(): Promise<void>
  /** Resolves if the engine answers and may be used; otherwise rejects with `unavailable`, the reason in its detail. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Told how long each round trip took. */
export type LatencyObserver = (command: string, seconds: number) => void
