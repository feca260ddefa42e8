/**
 * The issuers of owners (the wire: providers of accounts): made with keys of their own, found by whose they are, deleted with all
 * that belongs to them. Everything of an issuer is reached through its record: once that is gone, so is all that was below,
 * whatever is still to be tidied up. Its workloads, domains, keys and public documents have files of their own in this folder.
 */
import type { Clock } from '../clock.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Resources } from '../records/resources.js'
import type { Domains } from './domains.js'
import type { HeldDocuments } from './held-documents.js'
import type { Issuer, IssuerContent } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'
import type { Workloads } from './workloads.js'

const OWNER = 'owner'

export interface Issuers {
  /** Makes an issuer with keys of its own. */
  create(owner: string, content: Pick<IssuerContent, 'name' | 'description'>): Promise<Issuer>
  list(owner: string): Promise<Issuer[]>
  find(owner: string, id: string): Promise<Issuer | undefined>
  /** Whose an issuer is, for the public who know its id alone. */
  ownerOf(id: string): Promise<string | undefined>
  /** Deletes it with all that belongs to it. False if the owner has no such issuer. */
  delete(owner: string, id: string): Promise<boolean>
}

export interface IssuersParts {
  records: Resources<IssuerContent>
  /** Whose an issuer is, by its id. */
  owners: RecordStore
  workloads: Workloads
  domains: Domains
  keys: IssuerKeys
  held: HeldDocuments
  clock: Clock
  newId(): string
}

export function createIssuers(parts: IssuersParts): Issuers {
  const { records, owners, workloads, domains, keys, held, clock, newId } = parts

  return {
    async create(owner, { name, description }) {
      const id = newId()
      // Its own record comes last: whatever can be found has keys and an owner.
      await keys.create(id)
      // The record calls the owner `account`, as the operator commands do.
      await owners.create(id, OWNER, { account: owner }, clock() + FOR_EVER_MS)
      return records.create(owner, { name, description }, id)
    },

    list: (owner) => records.list(owner),
    find: (owner, id) => records.find(owner, id),

    async ownerOf(id) {
      const owner = (await owners.get(id, OWNER))?.account
      return owner !== undefined && (await records.find(owner, id)) ? owner : undefined
    },

    async delete(owner, id) {
      const itsDomains = await domains.list(owner, id)
      // Another request may have deleted it while its domains were read.
      if (!itsDomains || !(await records.find(owner, id))) return false
      // From here on nothing leads there any more; what follows can be cut off anywhere.
      await records.delete(owner, id)
      await owners.delete(id, OWNER)
      await keys.destroy(id)
      await domains.deleteAll(id)
      await workloads.deleteAll(id)
      const hosts = itsDomains.map(({ domain }) => domain)
      held.forget(id, hosts)
      return true
    }
  }
}
