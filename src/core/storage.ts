/** The interface that a storage engine implements: every store the core needs, and the engine's own health. */
import type { EventStore } from './audit/event-store.js'
import type { RevocationStore } from './authorizations/revocation-store.js'
import type { StatusIndexStore } from './authorizations/status-index.js'
import type { DecisionFeed, GrantStore } from './grants/grant-store.js'
import type { LimitStore } from './limits/limits.js'
import type { LockStore, ParentIndex, RecordStore } from './records/record-store.js'
import type { Keyspace } from './restore/keyspace.js'
import type { RefreshFamilyStore } from './tokens/refresh-family.js'
import type { SigningKeyStore } from './tokens/signing-key.js'

export interface Storage {
  readonly engine: 'memory' | 'redis'
  readonly grants: GrantStore
  readonly decisions: DecisionFeed
  readonly revocations: RevocationStore
  readonly statusIndices: StatusIndexStore
  readonly refreshFamilies: RefreshFamilyStore
  readonly authorizations: RecordStore
  /** Whose an authorization is. */
  readonly authorizationUsers: ParentIndex
  readonly apiKeys: RecordStore
  readonly sessions: RecordStore
  readonly identities: RecordStore
  readonly profiles: RecordStore
  /** Users by their e-mail address. */
  readonly emails: RecordStore
  readonly users: RecordStore
  readonly epochs: RecordStore
  readonly markers: RecordStore
  readonly connections: RecordStore
  readonly connectionUsers: RecordStore
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
  readonly webhooks: RecordStore
  readonly limits: LimitStore
  /** Undefined where nothing can be restored. */
  readonly keyspace?: Keyspace
  readonly events: EventStore
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

/** Records a round trip that has begun, for traces, and returns its answer as it is. */
export type TraceCall = <T>(command: string, answer: Promise<T>) => Promise<T>
