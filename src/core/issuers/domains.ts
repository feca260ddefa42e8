/**
 * Custom domains: added, proved by a TXT record, taken away. One domain belongs to one provider in the whole service. A claim
 * that nobody proves lapses after a day, so that nobody can keep a domain from its owner.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { createResources } from '../records/resources.js'
import { lookForChallenge, type ResolveTxt } from './challenge.js'
import type { Domain, DomainContent, IssuerContent } from './issuer.js'

const HOLDER = 'holder'
const UNPROVED_CLAIM_MS = 86_400_000

/** Why a domain was not verified, in a sentence for whoever asked. */
export interface Verification {
  domain: Domain
  verified: boolean
  message: string
}

export interface Domains {
  /** 'taken' if the domain belongs to a provider already. */
  add(account: string, providerId: string, domain: string): Promise<Domain | 'taken'>
  list(providerId: string): Promise<Domain[]>
  find(providerId: string, id: string): Promise<Domain | undefined>
  /** Looks for the challenge, and if it is there gives the provider its domain. Undefined if there is no such domain. */
  verify(account: string, providerId: string, id: string): Promise<Verification | undefined>
  delete(account: string, providerId: string, id: string): Promise<boolean>
  /** Frees all domains of a provider that is gone. */
  deleteAll(providerId: string): Promise<void>
  /** The provider that a verified domain belongs to. */
  issuerOf(domain: string): Promise<string | undefined>
}

export interface DomainsParts {
  records: RecordStore
  /** Which provider a domain belongs to, by the domain. */
  holders: RecordStore
  issuers: RecordStore
  resolveTxt: ResolveTxt
  clock: Clock
}

export function createDomains({ records, holders, resolveTxt, clock, ...parts }: DomainsParts): Domains {
  const domains = createResources<DomainContent>(records, clock)
  const providers = createResources<IssuerContent>(parts.issuers, clock)

  /** Takes a domain for this one entry, unless somebody has it who has proved it or may still. */
  async function hold(
    domain: string,
    mine: { account: string; providerId: string; domainId: string }
  ): Promise<boolean> {
    const fields = { ...mine, sinceMs: String(clock()), verified: 'no' }
    const kept = await holders.create(domain, HOLDER, fields, clock() + FOR_EVER_MS)
    if (kept.domainId === mine.domainId) return true
    const isThere = await stands(kept)
    const hasLapsed = kept.verified !== 'yes' && clock() - Number(kept.sinceMs) > UNPROVED_CLAIM_MS
    if (isThere && !hasLapsed) return false
    const onlyIf = { field: 'domainId', is: kept.domainId ?? '' }
    return (await holders.change(domain, HOLDER, { onlyIf, set: fields }))?.domainId === mine.domainId
  }

  /** Whether the entry that a domain is held for is there, and its provider: what is left of a deletion holds nothing. */
  async function stands({ account = '', providerId = '', domainId = '' }: Fields): Promise<boolean> {
    const found = await Promise.all([providers.find(account, providerId), domains.find(providerId, domainId)])
    return found.every((one) => one !== undefined)
  }

  async function free(domain: string, domainId: string): Promise<void> {
    if ((await holders.get(domain, HOLDER))?.domainId === domainId) await holders.delete(domain, HOLDER)
  }

  /** The first of its verified domains is the one a provider's tokens carry. */
  async function settle(account: string, providerId: string, exceptId?: string): Promise<void> {
    const provider = await providers.find(account, providerId)
    const all = await domains.list(providerId)
    const customDomain = all.find(({ id, verified }) => verified && id !== exceptId)?.domain
    if (!provider || provider.customDomain === customDomain) return
    const { name, description } = provider
    await providers.replace(account, providerId, { name, description, ...(customDomain && { customDomain }) })
  }

  async function deleteAll(providerId: string): Promise<void> {
    for (const { id, domain } of await domains.list(providerId)) {
      await domains.delete(providerId, id)
      await free(domain, id)
    }
  }

  return {
    async add(account, providerId, text) {
      const domain = text.toLowerCase()
      const id = randomUUID()
      const challenge = randomBytes(24).toString('base64url')
      // First, so that whoever races for the domain sees whom it is held for.
      const added = await domains.create(providerId, { domain, verified: false, challenge }, id)
      if (!(await hold(domain, { account, providerId, domainId: id }))) {
        await domains.delete(providerId, id)
        return 'taken'
      }
      // The provider may have been deleted meanwhile, with the domains it had then.
      if (!(await providers.find(account, providerId))) await deleteAll(providerId)
      return added
    },

    list: (providerId) => domains.list(providerId),
    find: (providerId, id) => domains.find(providerId, id),

    async verify(account, providerId, id) {
      const found = await domains.find(providerId, id)
      if (!found) return undefined
      const { domain, challenge } = found
      if (found.verified) {
        // Again, in case that what verified it was cut off before.
        await settle(account, providerId)
        return { domain: found, verified: true, message: `${domain} is verified.` }
      }
      const problem = await lookForChallenge(challenge, domain, resolveTxt)
      if (problem !== undefined) return { domain: found, verified: false, message: problem }
      const isMine = await hold(domain, { account, providerId, domainId: id })
      const onlyIf = { field: 'domainId', is: id }
      const holder = isMine && (await holders.change(domain, HOLDER, { onlyIf, set: { verified: 'yes' } }))
      if (!holder || holder.domainId !== id) {
        return { domain: found, verified: false, message: `${domain} belongs to another provider by now.` }
      }
      const verified = await domains.replace(providerId, id, { domain, challenge, verified: true })
      if (!verified) return undefined
      await settle(account, providerId)
      return { domain: verified, verified: true, message: `${domain} is verified.` }
    },

    async delete(account, providerId, id) {
      const found = await domains.find(providerId, id)
      if (!found) return false
      // Tokens stop carrying it before it stops being found, and while it is listed the deletion can be repeated.
      await settle(account, providerId, id)
      await domains.delete(providerId, id)
      await free(found.domain, id)
      return true
    },

    deleteAll,

    async issuerOf(domain) {
      const holder = await holders.get(domain, HOLDER)
      return holder?.verified === 'yes' && (await stands(holder)) ? holder.providerId : undefined
    }
  }
}
