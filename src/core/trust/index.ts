/** Builds the services of this folder over the storage, in the order of their dependencies. */
import type { Clock } from '../clock.js'
import { createJsonRecords } from '../records/json-records.js'
import type { RecordStore } from '../records/record-store.js'
import type { GuardedFetch } from './guarded-fetch.js'
import { createPolicies } from './policies.js'
import { PolicyContent, TenantContent, TrustedIssuerContent } from './tenant.js'
import { createTenants } from './tenants.js'
import { createTrustedIssuerKeys } from './trusted-issuer-keys.js'
import { createTrustedIssuers } from './trusted-issuers.js'
import { createValidator } from './validation.js'

export interface TrustServicesParts {
  storage: Readonly<Record<'tenants' | 'trustedIssuers' | 'policies', RecordStore>>
  /** Fetches the keys of foreign issuers. */
  guardedFetch: GuardedFetch
  clock: Clock
}

export function createTrustServices({ storage, guardedFetch, clock }: TrustServicesParts) {
  // Every service checks ownership by these records, so none needs another service for that.
  const tenantRecords = createJsonRecords(storage.tenants, clock, TenantContent)
  const trustedIssuerRecords = createJsonRecords(storage.trustedIssuers, clock, TrustedIssuerContent)

  const policies = createPolicies({
    records: createJsonRecords(storage.policies, clock, PolicyContent),
    tenants: tenantRecords,
    trustedIssuers: trustedIssuerRecords
  })
  const trustedIssuers = createTrustedIssuers({ records: trustedIssuerRecords, tenants: tenantRecords, policies })
  const keys = createTrustedIssuerKeys(guardedFetch, clock)

  return {
    tenants: createTenants({ records: tenantRecords, trustedIssuers }),
    trustedIssuers,
    policies,
    validator: createValidator({ policies, keys, clock })
  }
}
