/**
 * The workloads of issuers (the wire: clients of providers), to which tokens are issued. A workload of another owner is
 * answered as if it did not exist. Their tokens are in workload-tokens.ts.
 */
import type { List, ListOptions } from '../records/batches.js'
import type { JsonRecords } from '../records/json-records.js'
import type { IssuerContent, Workload, WorkloadContent } from './issuer.js'

export interface Workloads {
  /** Undefined if the owner has no such issuer, as in all methods below. */
  create(owner: string, issuerId: string, content: WorkloadContent): Promise<Workload | undefined>
  list(owner: string, issuerId: string, options: ListOptions): Promise<List<Workload> | undefined>
  find(owner: string, issuerId: string, id: string): Promise<Workload | undefined>
  /** False if the owner has no such workload. */
  delete(owner: string, issuerId: string, id: string): Promise<boolean>
  /** Deletes all workloads of a deleted issuer. */
  deleteAll(issuerId: string): Promise<void>
}

export interface WorkloadsParts {
  records: JsonRecords<WorkloadContent>
  issuers: JsonRecords<IssuerContent>
}

export function createWorkloads({ records, issuers }: WorkloadsParts): Workloads {
  async function find(owner: string, issuerId: string, id: string): Promise<Workload | undefined> {
    return (await issuers.find(owner, issuerId)) && records.find(issuerId, id)
  }

  return {
    async create(owner, issuerId, { name, audience }) {
      return (await issuers.find(owner, issuerId)) && records.create(issuerId, { name, audience })
    },

    async list(owner, issuerId, options) {
      return (await issuers.find(owner, issuerId)) && records.page(issuerId, options)
    },

    find,

    async delete(owner, issuerId, id) {
      if (!(await find(owner, issuerId, id))) return false
      await records.delete(issuerId, id)
      return true
    },

    async deleteAll(issuerId) {
      for await (const batch of records.batches(issuerId)) {
        await Promise.all(batch.map(({ id }) => records.delete(issuerId, id)))
      }
    }
  }
}
