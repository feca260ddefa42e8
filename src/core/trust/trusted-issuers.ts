/**
 * The foreign issuers that tenants trust (the wire: tenant providers): each URL once per audience. A trusted issuer of
 * another owner is answered as if it did not exist. trusted-issuer-keys.ts fetches their keys.
 */
import type { List, ListOptions } from '../records/batches.js'
import type { JsonRecords } from '../records/json-records.js'
import type { Policies } from './policies.js'
import type { TenantContent, TrustedIssuer, TrustedIssuerContent } from './tenant.js'

export interface TrustedIssuers {
  /**
   * 'no_issuer_url' if the URL is no issuer identifier, 'taken' if the tenant trusts this issuer for this audience
   * already. Undefined if the owner has no such tenant, as in all methods below.
   */
  create(
    owner: string,
    tenantId: string,
    content: TrustedIssuerContent
  ): Promise<TrustedIssuer | 'no_issuer_url' | 'taken' | undefined>
  list(owner: string, tenantId: string, options: ListOptions): Promise<List<TrustedIssuer> | undefined>
  find(owner: string, tenantId: string, id: string): Promise<TrustedIssuer | undefined>
  /** Deletes a trusted issuer with its policies. False if the owner has no such trusted issuer. */
  delete(owner: string, tenantId: string, id: string): Promise<boolean>
  /** Deletes all trusted issuers of a deleted tenant, with their policies. */
  deleteAll(tenantId: string): Promise<void>
}

export interface TrustedIssuersParts {
  records: JsonRecords<TrustedIssuerContent>
  tenants: JsonRecords<TenantContent>
  policies: Policies
}

export function createTrustedIssuers({ records, tenants, policies }: TrustedIssuersParts): TrustedIssuers {
  async function find(owner: string, tenantId: string, id: string): Promise<TrustedIssuer | undefined> {
    return (await tenants.find(owner, tenantId)) && records.find(tenantId, id)
  }

  async function remove(tenantId: string, { id, ...content }: TrustedIssuer): Promise<void> {
    await records.delete(tenantId, id, nameOf(content))
    await policies.deleteAll(tenantId, id)
  }

  return {
    async create(owner, tenantId, { fingerprints, audience, earliestIssuanceTimeAllowed, ...content }) {
      if (!(await tenants.find(owner, tenantId))) return undefined
      const url = readIssuerUrl(content.url)
      if (url === undefined) return 'no_issuer_url'
      const known = await records.list(tenantId)
      if (known.some((one) => one.url === url && one.audience === audience)) return 'taken'
      const issuer = { url, fingerprints, audience, earliestIssuanceTimeAllowed }
      // The list has those of the version before, which have no name; the name decides among all that are created at once.
      return (await records.createNamed(tenantId, issuer, nameOf(issuer))) ?? 'taken'
    },

    async list(owner, tenantId, options) {
      return (await tenants.find(owner, tenantId)) && records.page(tenantId, options)
    },

    find,

    async delete(owner, tenantId, id) {
      const found = await find(owner, tenantId, id)
      if (!found) return false
      await remove(tenantId, found)
      return true
    },

    async deleteAll(tenantId) {
      for await (const batch of records.batches(tenantId)) {
        for (const issuer of batch) await remove(tenantId, issuer)
      }
    }
  }
}

/** What there is one of in a tenant. A URL has no space in it. */
const nameOf = ({ url, audience }: Pick<TrustedIssuerContent, 'url' | 'audience'>) => `${url} ${audience}`

/**
 * Returns the issuer identifier of a foreign issuer: an absolute URL without query and fragment (OpenID Connect Core
 * 1.0 §2), without a trailing slash. Whether it may be fetched is decided when it is fetched.
 */
function readIssuerUrl(text: string): string | undefined {
  if (!/^https?:\/\/[^\s?#]+$/.test(text) || !URL.canParse(text)) return undefined
  const { username, password } = new URL(text)
  return username || password ? undefined : text.replace(/\/$/, '')
}
