/**
 * The providers of accounts, with their clients and domains. Everything of a provider is reached through it: once its own
 * record is gone, so is all that was below, whatever is still to be tidied up.
 */
import type { Clock } from '../clock.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { createResources } from '../records/resources.js'
import type { Domains } from './domains.js'
import type { Issuer, IssuerContent, Workload, WorkloadContent } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'

const OWNER = 'owner'

export interface Issuers {
  /** Makes a provider with keys of its own. */
  create(account: string, content: Pick<IssuerContent, 'name' | 'description'>): Promise<Issuer>
  list(account: string): Promise<Issuer[]>
  find(account: string, id: string): Promise<Issuer | undefined>
  /** Whose a provider is, for the public who know its id alone. */
  ownerOf(id: string): Promise<string | undefined>
  /** Deletes it with all that belongs to it. False if the account has no such provider. */
  delete(account: string, id: string): Promise<boolean>

  createWorkload(providerId: string, content: WorkloadContent): Promise<Workload>
  listWorkloads(providerId: string): Promise<Workload[]>
  findWorkload(providerId: string, id: string): Promise<Workload | undefined>
  deleteWorkload(providerId: string, id: string): Promise<void>
}

export interface IssuersParts {
  records: RecordStore
  owners: RecordStore
  workloads: RecordStore
  domains: Domains
  keys: IssuerKeys
  clock: Clock
  newId(): string
}

export function createIssuers(parts: IssuersParts): Issuers {
  const { owners, domains, keys, clock, newId } = parts
  const providers = createResources<IssuerContent>(parts.records, clock)
  const clients = createResources<WorkloadContent>(parts.workloads, clock)

  return {
    async create(account, { name, description }) {
      const id = newId()
      // Its own record comes last: whatever can be found has keys and an owner.
      await keys.create(id)
      await owners.create(id, OWNER, { account }, clock() + FOR_EVER_MS)
      return providers.create(account, { name, description }, id)
    },

    list: (account) => providers.list(account),
    find: (account, id) => providers.find(account, id),

    async ownerOf(id) {
      const account = (await owners.get(id, OWNER))?.account
      return account !== undefined && (await providers.find(account, id)) ? account : undefined
    },

    async delete(account, id) {
      const provider = await providers.find(account, id)
      if (!provider) return false
      // From here on nothing leads there any more; what follows can be cut off anywhere.
      await providers.delete(account, id)
      await owners.delete(id, OWNER)
      await keys.destroy(id)
      await domains.deleteAll(id)
      for (const client of await clients.list(id)) await clients.delete(id, client.id)
      return true
    },

    createWorkload: (providerId, { name, audience }) => clients.create(providerId, { name, audience }),
    listWorkloads: (providerId) => clients.list(providerId),
    findWorkload: (providerId, id) => clients.find(providerId, id),
    deleteWorkload: (providerId, id) => clients.delete(providerId, id)
  }
}
