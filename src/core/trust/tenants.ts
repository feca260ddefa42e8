/**
 * The tenants of accounts, the foreign issuers they trust, and the policies that decide which tokens are valid. Everything of a
 * tenant is reached through it: once its own record is gone, so is all that was below.
 */
import type { Clock } from '../clock.js'
import type { RecordStore } from '../records/record-store.js'
import { createResources } from '../records/resources.js'
import type { Policy, PolicyContent, Tenant, TenantContent, TrustedIssuer, TrustedIssuerContent } from './tenant.js'

export interface Tenants {
  create(account: string, content: TenantContent): Promise<Tenant>
  list(account: string): Promise<Tenant[]>
  find(account: string, id: string): Promise<Tenant | undefined>
  /** Deletes it with all that belongs to it. False if the account has no such tenant. */
  delete(account: string, id: string): Promise<boolean>

  createIssuer(tenantId: string, content: TrustedIssuerContent): Promise<TrustedIssuer>
  listIssuers(tenantId: string): Promise<TrustedIssuer[]>
  findIssuer(tenantId: string, id: string): Promise<TrustedIssuer | undefined>
  /** Deletes it with its policies. */
  deleteIssuer(tenantId: string, id: string): Promise<void>

  createPolicy(tenantId: string, content: PolicyContent): Promise<Policy>
  listPolicies(tenantId: string, tenantProviderId: string): Promise<Policy[]>
  /** Of any of its issuers, unless one is named. */
  findPolicy(tenantId: string, id: string, tenantProviderId?: string): Promise<Policy | undefined>
  deletePolicy(tenantId: string, id: string): Promise<void>
}

export interface TenantsParts {
  records: RecordStore
  issuers: RecordStore
  policies: RecordStore
  clock: Clock
}

export function createTenants({ records, clock, ...parts }: TenantsParts): Tenants {
  const tenants = createResources<TenantContent>(records, clock)
  const issuers = createResources<TrustedIssuerContent>(parts.issuers, clock)
  // Of the tenant, so that one is found there by its id alone.
  const policies = createResources<PolicyContent>(parts.policies, clock)

  async function policiesOf(tenantId: string, tenantProviderId: string): Promise<Policy[]> {
    return (await policies.list(tenantId)).filter((policy) => policy.tenantProviderId === tenantProviderId)
  }

  async function deleteIssuer(tenantId: string, id: string): Promise<void> {
    await issuers.delete(tenantId, id)
    for (const policy of await policiesOf(tenantId, id)) await policies.delete(tenantId, policy.id)
  }

  return {
    create: (account, { name, description }) => tenants.create(account, { name, description }),
    list: (account) => tenants.list(account),
    find: (account, id) => tenants.find(account, id),

    async delete(account, id) {
      if (!(await tenants.find(account, id))) return false
      // From here on nothing leads there any more; what follows can be cut off anywhere.
      await tenants.delete(account, id)
      for (const issuer of await issuers.list(id)) await deleteIssuer(id, issuer.id)
      return true
    },

    createIssuer: (tenantId, { url, fingerprints, audience, earliestIssuanceTimeAllowed }) =>
      issuers.create(tenantId, { url, fingerprints, audience, earliestIssuanceTimeAllowed }),
    listIssuers: (tenantId) => issuers.list(tenantId),
    findIssuer: (tenantId, id) => issuers.find(tenantId, id),
    deleteIssuer,

    createPolicy: (tenantId, { tenantProviderId, name, description, audience, conditions }) =>
      policies.create(tenantId, { tenantProviderId, name, description, audience, conditions }),
    listPolicies: policiesOf,

    async findPolicy(tenantId, id, tenantProviderId) {
      const policy = await policies.find(tenantId, id)
      const isOfThatOne = tenantProviderId === undefined || policy?.tenantProviderId === tenantProviderId
      return isOfThatOne ? policy : undefined
    },

    deletePolicy: (tenantId, id) => policies.delete(tenantId, id)
  }
}
