/**
 * Who holds a domain: in the whole service, the one entry of one issuer that proved it last. An entry that has not proved it
 * holds nothing and keeps nobody out. The entries themselves are in domains.ts, domain-checks.ts proves them again.
 */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import type { JsonRecords } from '../records/json-records.js'
import { FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { newChallenge } from './challenge.js'
import type { Claimant, Domain, DomainContent, Holder, IssuerContent } from './issuer.js'
import { readHolder } from './issuer.js'

const HOLDER = 'holder'
/** How often a step is repeated that others undo at the same moment. */
const TRIES = 20

export interface DomainClaims {
  /** Holds a domain for an entry that was proved at this time. False if another one was proved later, or else the holder before. */
  prove(domain: string, claimant: Claimant, provedAtMs: number): Promise<{ isHeld: boolean; before?: Claimant }>
  holderOf(domain: string): Promise<Holder | undefined>
  /** The holder and its entry, if the entry and its issuer still exist. */
  standing(domain: string): Promise<{ holder: Holder; entry: Domain } | undefined>
  /** Notes that a holder was proved again, or that its challenge is missing. Undefined if there is a newer proof by now. */
  note(domain: string, holder: Holder, what: 'proved' | 'missing', atMs: number): Promise<Holder | undefined>
  /** Takes a domain from a holder, unless it was proved again since it was read. True if the holder has lost it. */
  lose(domain: string, holder: Holder): Promise<boolean>
  /** Releases a domain that is held for this entry. */
  free(domain: string, domainId: string): Promise<void>
  /**
   * Makes the first domain that an issuer holds the one in the `iss` of its tokens, except this one; an entry that lost its domain
   * to another gets another challenge. Whoever changes an entry or a holder calls it afterwards.
   */
  settle(owner: string, issuerId: string, exceptId?: string): Promise<void>
}

export interface DomainClaimsParts {
  holders: RecordStore
  domains: JsonRecords<DomainContent>
  issuers: JsonRecords<IssuerContent>
  clock: Clock
}

export function createDomainClaims({ holders, domains, issuers, clock }: DomainClaimsParts): DomainClaims {
  async function holderOf(domain: string): Promise<Holder | undefined> {
    const kept = await holders.get(domain, HOLDER)
    if (kept?.verified !== 'yes' || kept.provedAtMs !== undefined) return readHolder(kept)
    // The version before did not keep when a domain was proved, and had it held not much earlier.
    return readHolder(await holders.change(domain, HOLDER, { setOnce: { provedAtMs: kept.sinceMs ?? `${clock()}` } }))
  }

  const byProof = ({ provedAtMs }: Holder) => ({ field: 'provedAtMs', is: String(provedAtMs) })

  async function firstHeld(issuerId: string, exceptId: string | undefined): Promise<string | undefined> {
    let first: string | undefined
    for (const { id, domain, challenge, verified } of await domains.list(issuerId)) {
      const holder = await holderOf(domain)
      if (holder?.domainId === id) {
        if (id !== exceptId) first ??= domain
      } else if (verified) {
        // What is still published from before must not win the domain back.
        const next = holder ? newChallenge() : challenge
        await domains.replace(issuerId, id, { domain, verified: false, challenge: next })
      }
    }
    return first
  }

  return {
    async prove(domain, { owner, issuerId, domainId }, provedAtMs) {
      // The record keeps older names: `account` is the owner, `providerId` the issuer.
      const who = { account: owner, providerId: issuerId, domainId }
      const mine = { ...who, verified: 'yes', provedAtMs: String(provedAtMs), sinceMs: String(clock()) }
      for (let tries = 0; tries < TRIES; tries++) {
        const kept = await holders.create(domain, HOLDER, mine, clock() + FOR_EVER_MS)
        const before = readHolder(kept)
        if (before && before.domainId !== domainId && before.provedAtMs > provedAtMs) return { isHeld: false }
        const onlyIf = { field: 'domainId', is: kept.domainId ?? '' }
        const held = await holders.change(domain, HOLDER, { onlyIf, set: mine, clear: ['missingSinceMs'] })
        if (held?.domainId !== domainId) continue
        return { isHeld: true, ...(before && before.domainId !== domainId && { before }) }
      }
      throw fault('unavailable', { detail: `a domain changed hands ${TRIES} times while it was being proved` })
    },

    holderOf,

    async standing(domain) {
      const holder = await holderOf(domain)
      if (!holder) return undefined
      const { owner, issuerId, domainId } = holder
      const [issuer, entry] = await Promise.all([issuers.find(owner, issuerId), domains.find(issuerId, domainId)])
      // A holder that was left behind by a deletion counts as none.
      return issuer && entry && { holder, entry }
    },

    async note(domain, holder, what, atMs) {
      const change =
        what === 'proved'
          ? { set: { provedAtMs: String(atMs) }, clear: ['missingSinceMs'] }
          : { setOnce: { missingSinceMs: String(atMs) } }
      const kept = await holders.change(domain, HOLDER, { onlyIf: byProof(holder), ...change })
      const wanted = what === 'proved' ? String(atMs) : String(holder.provedAtMs)
      return kept?.provedAtMs === wanted ? readHolder(kept) : undefined
    },

    async lose(domain, holder) {
      await holders.delete(domain, HOLDER, byProof(holder))
      return (await holderOf(domain))?.domainId !== holder.domainId
    },

    free: (domain, domainId) => holders.delete(domain, HOLDER, { field: 'domainId', is: domainId }),

    async settle(owner, issuerId, exceptId) {
      // It looks again after it wrote, so that of several instances which settle at once none leaves what it read before.
      for (let tries = 0; tries < TRIES; tries++) {
        const issuer = await issuers.find(owner, issuerId)
        if (!issuer) return
        const customDomain = await firstHeld(issuerId, exceptId)
        if (issuer.customDomain === customDomain) return
        const { name, description } = issuer
        await issuers.replace(owner, issuerId, { name, description, ...(customDomain && { customDomain }) })
      }
      throw fault('unavailable', { detail: `the domains of an issuer changed ${TRIES} times at once` })
    }
  }
}
