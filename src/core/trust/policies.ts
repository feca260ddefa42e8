/**
 * The policies of trusted issuers, which say what a token must hold to be valid. A policy of another owner is answered
 * as if it did not exist. validation.ts applies them.
 */
import type { List, ListOptions } from '../records/batches.js'
import type { JsonRecords } from '../records/json-records.js'
import type { Policy, PolicyContent, TenantContent, TrustedIssuer, TrustedIssuerContent } from './tenant.js'

export interface Policies {
  /** Undefined if the owner has no such tenant or trusted issuer, as in all methods below. */
  create(
    owner: string,
    tenantId: string,
    trustedIssuerId: string,
    content: Omit<PolicyContent, 'tenantProviderId'>
  ): Promise<Policy | undefined>
  list(
    owner: string,
    tenantId: string,
    trustedIssuerId: string,
    options: ListOptions
  ): Promise<List<Policy> | undefined>
  find(owner: string, tenantId: string, trustedIssuerId: string, id: string): Promise<Policy | undefined>
  /** Resolves to the policy with this id and its trusted issuer, whichever trusted issuer of the tenant that is. */
  findWithIssuer(
    owner: string,
    tenantId: string,
    id: string
  ): Promise<{ policy: Policy; issuer: TrustedIssuer } | undefined>
  /** False if the owner has no such policy. */
  delete(owner: string, tenantId: string, trustedIssuerId: string, id: string): Promise<boolean>
  /** Deletes all policies of a deleted trusted issuer. */
  deleteAll(tenantId: string, trustedIssuerId: string): Promise<void>
}

export interface PoliciesParts {
  /** The parent of a policy's record is the tenant, so that its id is enough to find it there. */
  records: JsonRecords<PolicyContent>
  tenants: JsonRecords<TenantContent>
  trustedIssuers: JsonRecords<TrustedIssuerContent>
}

export function createPolicies({ records, tenants, trustedIssuers }: PoliciesParts): Policies {
  async function issuerOf(owner: string, tenantId: string, id: string): Promise<TrustedIssuer | undefined> {
    return (await tenants.find(owner, tenantId)) && trustedIssuers.find(tenantId, id)
  }

  const isOf = (trustedIssuerId: string) => (policy: PolicyContent) => policy.tenantProviderId === trustedIssuerId

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

    async list(owner, tenantId, trustedIssuerId, options) {
      if (!(await issuerOf(owner, tenantId, trustedIssuerId))) return undefined
      return records.page(tenantId, options, isOf(trustedIssuerId))
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
      for await (const batch of records.batches(tenantId)) {
        await Promise.all(batch.filter(isOf(trustedIssuerId)).map(({ id }) => records.delete(tenantId, id)))
      }
    }
  }
}
