/**
 * The custom domains of issuers: they are added, proved by a TXT record (challenge.ts) and deleted. domain-claims.ts
 * decides which entry holds a domain. A domain of another owner is answered as if it did not exist.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Resources } from '../records/resources.js'
import { lookForChallenge, type ResolveTxt } from './challenge.js'
import type { DomainClaims } from './domain-claims.js'
import type { HeldDocuments } from './held-documents.js'
import type { Domain, DomainContent, IssuerContent } from './issuer.js'

/** The result of a verification, with a sentence for the caller that says why a domain is not verified. */
export interface Verification {
  domain: Domain
  verified: boolean
  message: string
}

export interface Domains {
  /**
   * 'taken' if the domain belongs to an issuer already. Undefined if the owner has no such issuer, as in all methods
   * below.
   */
  add(owner: string, issuerId: string, domain: string): Promise<Domain | 'taken' | undefined>
  list(owner: string, issuerId: string): Promise<Domain[] | undefined>
  find(owner: string, issuerId: string, id: string): Promise<Domain | undefined>
  /** Looks up the challenge, and gives the issuer its domain if the challenge is there. */
  verify(owner: string, issuerId: string, id: string): Promise<Verification | undefined>
  /** False if the owner has no such domain. */
  delete(owner: string, issuerId: string, id: string): Promise<boolean>
  /** Deletes and releases all domains of a deleted issuer. */
  deleteAll(issuerId: string): Promise<void>
  /** Resolves to the id of the issuer that owns a verified domain. */
  issuerOf(domain: string): Promise<string | undefined>
}

export interface DomainsParts {
  records: Resources<DomainContent>
  issuers: Resources<IssuerContent>
  claims: DomainClaims
  held: HeldDocuments
  resolveTxt: ResolveTxt
}

export function createDomains({ records, issuers, claims, held, resolveTxt }: DomainsParts): Domains {
  async function find(owner: string, issuerId: string, id: string): Promise<Domain | undefined> {
    return (await issuers.find(owner, issuerId)) && records.find(issuerId, id)
  }

  /** Makes the first verified domain of an issuer the one in the `iss` of its tokens. */
  async function settle(owner: string, issuerId: string, exceptId?: string): Promise<void> {
    const issuer = await issuers.find(owner, issuerId)
    const all = await records.list(issuerId)
    const customDomain = all.find(({ id, verified }) => verified && id !== exceptId)?.domain
    if (!issuer || issuer.customDomain === customDomain) return
    const { name, description } = issuer
    await issuers.replace(owner, issuerId, { name, description, ...(customDomain && { customDomain }) })
  }

  async function prove(owner: string, issuerId: string, found: Domain): Promise<Verification | undefined> {
    const { id, domain, challenge } = found
    if (found.verified) {
      // An earlier verification may have been interrupted before this last step, so the step is repeated.
      await settle(owner, issuerId)
      return { domain: found, verified: true, message: `${domain} is verified.` }
    }
    const problem = await lookForChallenge(challenge, domain, resolveTxt)
    if (problem !== undefined) return { domain: found, verified: false, message: problem }
    if (!(await claims.prove(domain, { owner, issuerId, domainId: id }))) {
      return { domain: found, verified: false, message: `${domain} belongs to another provider by now.` }
    }
    const verified = await records.replace(issuerId, id, { domain, challenge, verified: true })
    if (!verified) return undefined
    await settle(owner, issuerId)
    return { domain: verified, verified: true, message: `${domain} is verified.` }
  }

  /** False if another request has deleted it first. */
  async function remove(owner: string, issuerId: string, id: string): Promise<boolean> {
    const found = await records.find(issuerId, id)
    if (!found) return false
    // The order matters: tokens stop naming the domain before discovery stops answering there, and the entry stays
    // listed until then, so that an interrupted deletion can be repeated.
    await settle(owner, issuerId, id)
    await records.delete(issuerId, id)
    await claims.free(found.domain, id)
    return true
  }

  async function deleteAll(issuerId: string): Promise<void> {
    for (const { id, domain } of await records.list(issuerId)) {
      await records.delete(issuerId, id)
      await claims.free(domain, id)
    }
  }

  return {
    async add(owner, issuerId, text) {
      if (!(await issuers.find(owner, issuerId))) return undefined
      const domain = text.toLowerCase()
      const id = randomUUID()
      const challenge = randomBytes(24).toString('base64url')
      // The entry is created before its claim, because racing requests look the entry of a claim up.
      const added = await records.create(issuerId, { domain, verified: false, challenge }, id)
      if (!(await claims.hold(domain, { owner, issuerId, domainId: id }))) {
        await records.delete(issuerId, id)
        return 'taken'
      }
      // The issuer may have been deleted in between, before it had this domain.
      if (!(await issuers.find(owner, issuerId))) await deleteAll(issuerId)
      return added
    },

    async list(owner, issuerId) {
      return (await issuers.find(owner, issuerId)) && records.list(issuerId)
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
    issuerOf: (domain) => claims.issuerOf(domain)
  }
}
