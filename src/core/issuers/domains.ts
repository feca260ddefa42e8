/**
 * The custom domains of issuers: they are added, proved by a TXT record (challenge.ts) and deleted. domain-claims.ts
 * decides which entry holds a domain, and with that which is verified. A domain of another owner is answered as if it did
 * not exist.
 */
import type { Clock } from '../clock.js'
import type { List, ListOptions } from '../records/batches.js'
import type { Resources } from '../records/resources.js'
import { lookForChallenge, newChallenge, type ResolveTxt } from './challenge.js'
import type { DomainChecks, DomainEvents } from './domain-checks.js'
import type { DomainClaims } from './domain-claims.js'
import type { HeldDocuments } from './held-documents.js'
import type { Claimant, Domain, DomainContent, IssuerContent } from './issuer.js'

/** The result of a verification, with a sentence for the caller that says why a domain is not verified. */
export interface Verification {
  domain: Domain
  verified: boolean
  message: string
}

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

export interface DomainsParts {
  records: Resources<DomainContent>
  issuers: Resources<IssuerContent>
  claims: DomainClaims
  checks: DomainChecks
  held: HeldDocuments
  resolveTxt: ResolveTxt
  events: DomainEvents
  clock: Clock
}

export function createDomains(parts: DomainsParts): Domains {
  const { records, issuers, claims, checks, held, resolveTxt, events, clock } = parts

  /** An entry is verified while it holds its domain, whatever it was when it was written. */
  async function asItStands(entry: Domain): Promise<Domain> {
    const verified = (await claims.holderOf(entry.domain))?.domainId === entry.id
    if (verified) checks.look(entry.domain)
    return { ...entry, verified }
  }

  async function find(owner: string, issuerId: string, id: string): Promise<Domain | undefined> {
    const entry = (await issuers.find(owner, issuerId)) && (await records.find(issuerId, id))
    return entry && asItStands(entry)
  }

  async function prove(owner: string, issuerId: string, found: Domain): Promise<Verification | undefined> {
    // Whatever an interrupted change has left behind comes right first, so that a challenge that was lost is not looked for.
    await claims.settle(owner, issuerId)
    const entry = await records.find(issuerId, found.id)
    if (!entry) return undefined
    const { id, domain, challenge } = entry
    const holder = await claims.holderOf(domain)
    const isHeld = holder?.domainId === id
    const lostAtMs = isHeld ? checks.lostAtMs(holder) : undefined
    if (isHeld && lostAtMs === undefined) return verifiedNow(entry)
    const atMs = clock()
    const lookup = await lookForChallenge(challenge, domain, resolveTxt)
    if (lookup.kind !== 'found') {
      const { problem } = lookup
      if (lostAtMs === undefined) return { domain: { ...entry, verified: false }, verified: false, message: problem }
      const until = new Date(lostAtMs).toISOString()
      const message = `${domain} is verified until ${until}, unless its challenge comes back. ${problem}`
      return { domain: { ...entry, verified: true }, verified: true, message }
    }
    const { isHeld: isMine, before } = await claims.prove(domain, { owner, issuerId, domainId: id }, atMs)
    const verified = isMine ? await records.replace(issuerId, id, { domain, challenge, verified: true }) : entry
    // An entry that was deleted meanwhile holds nothing.
    if (!verified) await claims.free(domain, id)
    // Whoever held the domain until now has lost it all the same.
    if (before) await takeOver(domain, before)
    if (!verified) return undefined
    await claims.settle(owner, issuerId)
    const now = await find(owner, issuerId, id)
    if (!now) {
      await claims.free(domain, id)
      return undefined
    }
    return now.verified
      ? verifiedNow(now)
      : { domain: now, verified: false, message: `${domain} belongs to another provider by now.` }
  }

  const verifiedNow = (entry: Domain): Verification => ({
    ...{ domain: { ...entry, verified: true }, verified: true },
    message: `${entry.domain} is verified.`
  })

  async function takeOver(domain: string, { owner, issuerId }: Claimant): Promise<void> {
    await claims.settle(owner, issuerId)
    held.forget(issuerId, [domain])
    events.domainChecked('taken_over', { domain, owner, issuerId })
  }

  /** Whether another issuer holds the domain, and its proof is still published as far as anybody can say. */
  async function isHeldByAnother(domain: string): Promise<boolean> {
    const found = await claims.standing(domain)
    if (!found) return false
    return (await lookForChallenge(found.entry.challenge, domain, resolveTxt)).kind !== 'absent'
  }

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
