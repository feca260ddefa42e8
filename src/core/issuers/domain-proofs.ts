/**
 * Whether a domain is verified: its challenge (challenge.ts) is looked for when the owner asks. domain-claims.ts decides which
 * entry holds a domain, domain-checks.ts looks again from time to time.
 */
import type { Clock } from '../clock.js'
import type { JsonRecords } from '../records/json-records.js'
import { lookForChallenge, type ResolveTxt } from './challenge.js'
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

export interface DomainProofs {
  /** An entry of an issuer of this owner, as it stands. */
  find(owner: string, issuerId: string, id: string): Promise<Domain | undefined>
  /** The entry, with what is so of it now: it is verified while it holds its domain, whatever it was when it was written. */
  asItStands(entry: Domain): Promise<Domain>
  /** Looks up the challenge of an entry of this issuer. Undefined if the entry is gone. */
  prove(owner: string, issuerId: string, found: Domain): Promise<Verification | undefined>
  /** Whether another issuer holds the domain, and its proof is still published as far as anybody can say. */
  isHeldByAnother(domain: string): Promise<boolean>
}

export interface DomainProofsParts {
  records: JsonRecords<DomainContent>
  issuers: JsonRecords<IssuerContent>
  claims: DomainClaims
  checks: DomainChecks
  held: HeldDocuments
  resolveTxt: ResolveTxt
  events: DomainEvents
  clock: Clock
}

export function createDomainProofs(parts: DomainProofsParts): DomainProofs {
  const { records, issuers, claims, checks, held, resolveTxt, events, clock } = parts

  async function asItStands(entry: Domain): Promise<Domain> {
    const verified = (await claims.holderOf(entry.domain))?.domainId === entry.id
    if (verified) checks.look(entry.domain)
    return { ...entry, verified }
  }

  async function find(owner: string, issuerId: string, id: string): Promise<Domain | undefined> {
    const entry = (await issuers.find(owner, issuerId)) && (await records.find(issuerId, id))
    return entry && asItStands(entry)
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

  return {
    asItStands,
    find,

    async prove(owner: string, issuerId: string, found: Domain): Promise<Verification | undefined> {
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
    },

    async isHeldByAnother(domain: string): Promise<boolean> {
      const found = await claims.standing(domain)
      if (!found) return false
      return (await lookForChallenge(found.entry.challenge, domain, resolveTxt)).kind !== 'absent'
    }
  }
}
