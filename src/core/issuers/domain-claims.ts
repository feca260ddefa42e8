/**
 * The claims to domains: in the whole service, a domain is held for at most one entry of one issuer. A claim that is
 * not proved lapses after a day, so that nobody can block a domain for its owner. The entries themselves are in
 * domains.ts.
 */
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import type { Resources } from '../records/resources.js'
import type { DomainContent, IssuerContent } from './issuer.js'

const HOLDER = 'holder'
const UNPROVED_CLAIM_MS = 86_400_000

/** The claimant of a domain: an entry of an issuer of an owner. */
export interface Claimant {
  owner: string
  issuerId: string
  domainId: string
}

export interface DomainClaims {
  /** Holds a domain for this entry. False if another entry has proved it, or can still prove it. */
  hold(domain: string, claimant: Claimant): Promise<boolean>
  /** Holds a domain for good after its entry has proved it. False if another entry holds it by now. */
  prove(domain: string, claimant: Claimant): Promise<boolean>
  /** Releases a domain that is held for this entry. */
  free(domain: string, domainId: string): Promise<void>
  /** Resolves to the id of the issuer that has proved a domain. */
  issuerOf(domain: string): Promise<string | undefined>
}

export interface DomainClaimsParts {
  holders: RecordStore
  domains: Resources<DomainContent>
  issuers: Resources<IssuerContent>
  clock: Clock
}

export function createDomainClaims({ holders, domains, issuers, clock }: DomainClaimsParts): DomainClaims {
  async function hold(domain: string, { owner, issuerId, domainId }: Claimant): Promise<boolean> {
    // The record keeps older names: `account` is the owner, `providerId` the issuer.
    const mine = { account: owner, providerId: issuerId, domainId }
    const fields = { ...mine, sinceMs: String(clock()), verified: 'no' }
    const kept = await holders.create(domain, HOLDER, fields, clock() + FOR_EVER_MS)
    if (kept.domainId === domainId) return true
    const isThere = await stands(kept)
    const hasLapsed = kept.verified !== 'yes' && clock() - Number(kept.sinceMs) > UNPROVED_CLAIM_MS
    if (isThere && !hasLapsed) return false
    const onlyIf = { field: 'domainId', is: kept.domainId ?? '' }
    return (await holders.change(domain, HOLDER, { onlyIf, set: fields }))?.domainId === domainId
  }

  /**
   * Whether the entry that holds a domain and its issuer still exist. A holder that was left behind by a deletion
   * counts as none.
   */
  async function stands({ account = '', providerId = '', domainId = '' }: Fields): Promise<boolean> {
    const found = await Promise.all([issuers.find(account, providerId), domains.find(providerId, domainId)])
    return found.every((one) => one !== undefined)
  }

  return {
    hold,

    async prove(domain, claimant) {
      if (!(await hold(domain, claimant))) return false
      const onlyIf = { field: 'domainId', is: claimant.domainId }
      const holder = await holders.change(domain, HOLDER, { onlyIf, set: { verified: 'yes' } })
      return holder?.domainId === claimant.domainId
    },

    async free(domain, domainId) {
      if ((await holders.get(domain, HOLDER))?.domainId === domainId) await holders.delete(domain, HOLDER)
    },

    async issuerOf(domain) {
      const holder = await holders.get(domain, HOLDER)
      return holder?.verified === 'yes' && (await stands(holder)) ? holder.providerId : undefined
    }
  }
}
