/**
 * The custom domains of issuers: they are added, proved by a TXT record (domain-proofs.ts) and deleted. domain-claims.ts decides
 * which entry holds a domain, and with that which is verified. A domain of another owner is answered as if it did not exist.
 */
import type { List, ListOptions } from '../records/batches.js'
import { newChallenge } from './challenge.js'
import { createDomainProofs, type DomainProofsParts, type Verification } from './domain-proofs.js'
import type { Domain } from './issuer.js'

export interface Domains {
  /**
   * 'taken' if the issuer has the domain already, or another one holds it whose challenge is still published. Undefined if
   * the owner has no such issuer, as in all methods below.
   */
  add(owner: string, issuerId: string, domain: string): Promise<Domain | 'taken' | undefined>
  list(owner: string, issuerId: string, options: ListOptions): Promise<List<Domain> | undefined>
  find(owner: string, issuerId: string, id: string): Promise<Domain | undefined>
  /** Looks up the challenge. If it is there the issuer holds the domain, and whoever proved it before does not any more. */
  verify(owner: string, issuerId: string, id: string): Promise<Verification | undefined>
  /** False if the owner has no such domain. */
  delete(owner: string, issuerId: string, id: string): Promise<boolean>
  /** Deletes and releases all domains of a deleted issuer. Resolves to their names. */
  deleteAll(issuerId: string): Promise<string[]>
  /** Resolves to the id of the issuer that owns a verified domain. */
  issuerOf(domain: string): Promise<string | undefined>
}

export function createDomains(parts: DomainProofsParts): Domains {
  const { records, issuers, claims, checks, held } = parts
  const { asItStands, find, prove, isHeldByAnother } = createDomainProofs(parts)

  /** False if another request has deleted it first. */
  async function remove(owner: string, issuerId: string, id: string): Promise<boolean> {
    const found = await records.find(issuerId, id)
    if (!found) return false
    // The order matters: tokens stop naming the domain before discovery stops answering there, and the entry stays
    // listed until then, so that an interrupted deletion can be repeated.
    await claims.settle(owner, issuerId, id)
    await records.delete(issuerId, id, found.domain)
    await claims.free(found.domain, id)
    // Another instance that verified a domain in between may have read this one before it was gone.
    await claims.settle(owner, issuerId)
    return true
  }

  async function deleteAll(issuerId: string): Promise<string[]> {
    const names: string[] = []
    for await (const batch of records.batches(issuerId)) {
      for (const { id, domain } of batch) {
        await records.delete(issuerId, id, domain)
        await claims.free(domain, id)
        names.push(domain)
      }
    }
    return names
  }

  return {
    async add(owner, issuerId, text) {
      if (!(await issuers.find(owner, issuerId))) return undefined
      const domain = text.toLowerCase()
      // The list has those of the version before, which have no name; the name decides among all that are added at once.
      const isListed = (await records.list(issuerId)).some((entry) => entry.domain === domain)
      if (isListed || (await isHeldByAnother(domain))) return 'taken'
      const content = { domain, verified: false, challenge: newChallenge() }
      const added = await records.createNamed(issuerId, content, domain)
      // The issuer may have been deleted in between, before it had this domain.
      if (!(await issuers.find(owner, issuerId))) await deleteAll(issuerId)
      return added ?? 'taken'
    },

    async list(owner, issuerId, options) {
      if (!(await issuers.find(owner, issuerId))) return undefined
      const { items, next } = await records.page(issuerId, options)
      return { items: await Promise.all(items.map(asItStands)), next }
    },

    find,

    async verify(owner, issuerId, id) {
      const found = await find(owner, issuerId, id)
      const verification = found && (await prove(owner, issuerId, found))
      if (verification) held.forget(issuerId, [verification.domain.domain])
      return verification
    },

    async delete(owner, issuerId, id) {
      const found = await find(owner, issuerId, id)
      if (!found || !(await remove(owner, issuerId, id))) return false
      held.forget(issuerId, [found.domain])
      return true
    },

    deleteAll,

    async issuerOf(domain) {
      const found = await claims.standing(domain)
      if (found) checks.look(domain)
      return found?.holder.issuerId
    }
  }
}
