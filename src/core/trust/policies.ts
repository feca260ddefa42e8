/**
 * The policies of trusted issuers: what a token must hold to be valid. What belongs to a tenant of somebody else is answered like
 * what does not exist. They are put to use by validation.ts.
 */
import type { Resources } from '../records/resources.js'
import type { Policy, PolicyContent, TenantContent, TrustedIssuer, TrustedIssuerContent } from './tenant.js'

export interface Policies {
  /** Undefined if the owner has no such tenant, or that no such trusted issuer; so everywhere below. */
  create(
    owner: string,
    tenantId: string,
    trustedIssuerId: string,
    content: Omit<PolicyContent, 'tenantProviderId'>
  ): Promise<Policy | undefined>
  list(owner: string, tenantId: string, trustedIssuerId: string): Promise<Policy[] | undefined>
  find(owner: string, tenantId: string, trustedIssuerId: string, id: string): Promise<Policy | undefined>
  /** The policy with this id, of whichever trusted issuer of the tenant, and that issuer. */
  findWithIssuer(
    owner: string,
    tenantId: string,
    id: string
  ): Promise<{ policy: Policy; issuer: TrustedIssuer } | undefined>
  /** False if the owner has no such policy. */
  delete(owner: string, tenantId: string, trustedIssuerId: string, id: string): Promise<boolean>
  /** Deletes all policies of a trusted issuer that is gone. */
  deleteAll(tenantId: string, trustedIssuerId: string): Promise<void>
}

export interface PoliciesParts {
  /** Their parent is the tenant, so that one is found there by its id alone. */
  records: Resources<PolicyContent>
  tenants: Resources<TenantContent>
  trustedIssuers: Resources<TrustedIssuerContent>
}

export function createPolicies({ records, tenants, trustedIssuers }: PoliciesParts): Policies {
  async function issuerOf(owner: string, tenantId: string, id: string): Promise<TrustedIssuer | undefined> {
    return (await tenants.find(owner, tenantId)) && trustedIssuers.find(tenantId, id)
  }

  async function listOf(tenantId: string, trustedIssuerId: string): Promise<Policy[]> {
    return (await records.list(tenantId)).filter((policy) => policy.tenantProviderId === trustedIssuerId)
  }

  async function find(owner: string, tenantId: string, trustedIssuerId: string, id: string) {
    const policy = (await issuerOf(owner, tenantId, trustedIssuerId)) && (await records.find(tenantId, id))
    return policy?.tenantProviderId === trustedIssuerId ? policy : undefined
  }

  return {
    async create(owner, tenantId, trustedIssuerId, { name, description, audience, conditions }) {
      if (!(await issuerOf(owner, tenantId, trustedIssuerId))) return undefined
      const content = { tenantProviderId: trustedIssuerId, name, description, audience, conditions }
      return records.create(tenantId, content)
    },

    async list(owner, tenantId, trustedIssuerId) {
      return (await issuerOf(owner, tenantId, trustedIssuerId)) && listOf(tenantId, trustedIssuerId)
    },

    find,

    async findWithIssuer(owner, tenantId, id) {
      const policy = (await tenants.find(owner, tenantId)) && (await records.find(tenantId, id))
      const issuer = policy && (await trustedIssuers.find(tenantId, policy.tenantProviderId))
      return issuer && { policy, issuer }
    },

    async delete(owner, tenantId, trustedIssuerId, id) {
      if (!(await find(owner, tenantId, trustedIssuerId, id))) return false
      await records.delete(tenantId, id)
      return true
    },

    async deleteAll(tenantId, trustedIssuerId) {
      for (const { id } of await listOf(tenantId, trustedIssuerId)) await records.delete(tenantId, id)
    }
  }
}
