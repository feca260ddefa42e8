/**
 * The issuers of owners (the wire: providers of accounts): created with keys, found by their owner, deleted with
 * everything that belongs to them. Everything below an issuer is reached through its record, so it is gone once that
 * record is deleted, even while leftovers are still being deleted. Workloads, domains, keys and public documents have
 * their own files in this folder.
 */
import type { Clock } from '../clock.js'
import type { List, ListOptions } from '../records/batches.js'
import type { JsonRecords } from '../records/json-records.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Domains } from './domains.js'
import type { HeldDocuments } from './held-documents.js'
import type { Issuer, IssuerContent } from './issuer.js'
import type { IssuerKeys } from './issuer-keys.js'
import type { Workloads } from './workloads.js'

const OWNER = 'owner'

export interface Issuers {
  /** Creates an issuer and its first key. Rejects with `overloaded` if too many wait for one. */
  create(owner: string, content: Pick<IssuerContent, 'name' | 'description'>): Promise<Issuer>
  list(owner: string, options: ListOptions): Promise<List<Issuer>>
  find(owner: string, id: string): Promise<Issuer | undefined>
  /** Resolves to the owner of an issuer, for public requests that know only its id. */
  ownerOf(id: string): Promise<string | undefined>
  /** Deletes an issuer with everything that belongs to it. False if the owner has no such issuer. */
  delete(owner: string, id: string): Promise<boolean>
}

export interface IssuersParts {
  records: JsonRecords<IssuerContent>
  /** The owner of each issuer, by the issuer's id. */
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
      // The issuer's record is created last, so that an issuer which can be found always has keys and an owner.
      await keys.create(id, owner)
      // The record keeps an older name: `account` is the owner.
      await owners.create(id, OWNER, { account: owner }, clock() + FOR_EVER_MS)
      return records.create(owner, { name, description }, id)
    },

    list: (owner, options) => records.page(owner, options),
    find: (owner, id) => records.find(owner, id),

    async ownerOf(id) {
      const owner = (await owners.get(id, OWNER))?.account
      return owner !== undefined && (await records.find(owner, id)) ? owner : undefined
    },

    async delete(owner, id) {
      if (!(await records.find(owner, id))) return false
      // Once this record is deleted, nothing leads to the rest, so the following deletions may be interrupted anywhere.
      await records.delete(owner, id)
      await owners.delete(id, OWNER)
      await keys.destroy(id)
      const hosts = await domains.deleteAll(id)
      await workloads.deleteAll(id)
      held.forget(id, hosts)
      return true
    }
  }
}
