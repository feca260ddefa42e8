/** Builds the services of this folder over the storage, in the order of their dependencies. */
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Clients } from '../clients/clients.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import { readable } from '../records/readable.js'
import type { ParentIndex, RecordStore } from '../records/record-store.js'
import type { Users } from '../users/user.js'
import { createAllAuthorizations } from './all-authorizations.js'
import { createApprovals } from './approvals.js'
import { isAuthorization } from './authorization.js'
import { createAuthorizations, type RevokedBy } from './authorizations.js'
import type { RevocationStore } from './revocation-store.js'
import { createRevocationSweep } from './revocation-sweep.js'
import { createRevoking } from './revoking.js'
import type { StatusIndexStore } from './status-index.js'

export interface AuthorizationEvents {
  revoked(by: RevokedBy): void
  /** The revocation feed could not be swept, for another reason than an unreachable storage. */
  revocationSweepFailed(error: unknown): void
}

export interface AuthorizationServicesParts {
  storage: {
    readonly authorizations: RecordStore
    readonly authorizationUsers: ParentIndex
    readonly revocations: RevocationStore
    readonly statusIndices: StatusIndexStore
  }
  config: { readonly tokenStatusList: boolean }
  users: Users
  epoch: Pick<Epoch, 'ends'>
  clients: Pick<Clients, 'find'>
  audit: AuditTrail
  events: AuthorizationEvents
  clock: Clock
}

export function createAuthorizationServices(parts: AuthorizationServicesParts) {
  const { storage, config, users, epoch, clients, audit, events, clock } = parts
  const records = readable(storage.authorizations, isAuthorization)
  const parents = storage.authorizationUsers
  const revoking = createRevoking({ records, store: storage.revocations, clients, clock, audit })
  const authorizations = createAuthorizations({ records, users, epoch, revoking, clients, clock, audit, events })
  const takeStatusIndex = config.tokenStatusList ? storage.statusIndices.take : undefined
  return {
    authorizationRecords: records,
    revoking,
    revocationSweep: createRevocationSweep(storage.revocations, revoking, events.revocationSweepFailed),
    authorizations,
    approvals: createApprovals({ records, parents, authorizations, users, epoch, clock, takeStatusIndex }),
    allAuthorizations: createAllAuthorizations({ records, parents, epoch })
  }
}
