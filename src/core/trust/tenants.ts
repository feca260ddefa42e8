/**
 * The tenants of owners (the wire: of accounts). Everything below a tenant is reached through its record, so it is gone
 * once that record is deleted. Trusted issuers, policies and validation have their own files in this folder.
 */
import type { List, ListOptions } from '../records/batches.js'
import type { JsonRecords } from '../records/json-records.js'
import type { Tenant, TenantContent } from './tenant.js'
import type { TrustedIssuers } from './trusted-issuers.js'

export interface Tenants {
  create(owner: string, content: TenantContent): Promise<Tenant>
  list(owner: string, options: ListOptions): Promise<List<Tenant>>
  find(owner: string, id: string): Promise<Tenant | undefined>
  /** Deletes a tenant with everything that belongs to it. False if the owner has no such tenant. */
  delete(owner: string, id: string): Promise<boolean>
}

export interface TenantsParts {
  records: JsonRecords<TenantContent>
  trustedIssuers: TrustedIssuers
}

export function createTenants({ records, trustedIssuers }: TenantsParts): Tenants {
  return {
    create: (owner, { name, description }) => records.create(owner, { name, description }),
    list: (owner, options) => records.page(owner, options),
    find: (owner, id) => records.find(owner, id),

    async delete(owner, id) {
      if (!(await records.find(owner, id))) return false
      // Once this record is deleted, nothing leads to the rest, so the following deletions may be interrupted anywhere.
      await records.delete(owner, id)
      await trustedIssuers.deleteAll(id)
      return true
    }
  }
}
