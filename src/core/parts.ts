/** What the core is made of: the storage, the configuration and the signer, and whom it tells what happens. */
import type { WireEvent } from './audit/event.js'
import type { AuthorizationEvents } from './authorizations/index.js'
import type { Clock } from './clock.js'
import type { CoreConfig } from './config.js'
import type { GrantEvents } from './grants/grants.js'
import type { PendingBounds } from './grants/pending-grants.js'
import type { DomainEvents } from './issuers/domain-checks.js'
import type { DataWatchEvents } from './marker/data-loss.js'
import type { Storage } from './storage.js'
import type { TokenServiceEvents } from './tokens/index.js'
import type { JwtSigner } from './tokens/signing-key.js'
import type { UserEvents } from './users/index.js'
import type { WebhookEvents } from './webhooks/telling.js'

/** Callbacks for metrics and logs. */
export interface CoreEvents
  extends GrantEvents,
    TokenServiceEvents,
    AuthorizationEvents,
    UserEvents,
    DomainEvents,
    DataWatchEvents,
    WebhookEvents {
  /** An event of the audit trail, once the storage has it. Absent where nobody writes them down. */
  told?: ((event: WireEvent) => void) | undefined
}

export interface CoreParts {
  storage: Storage
  config: CoreConfig
  clock: Clock
  signer: JwtSigner
  events: CoreEvents
  /**
   * Puts a time limit on work that follows one storage call of a request. That call may have taken half of the request's time,
   * so the work has the other half; past it, the promise rejects with `unavailable`.
   */
  limitTime: <T>(work: Promise<T>) => Promise<T>
  /** The caps on grants that wait for their decision; without them there are none. */
  pending?: PendingBounds
  /** What counts as one network, for rules; undefined for an address that says nothing of where people are. */
  networkOf?: (ip: string) => string | undefined
}
