/**
 * Proves verified domains again once a week. It happens when somebody uses a domain whose proof is that old, in the background and
 * on one instance at a time, so that an unused domain costs nothing. A domain whose challenge stays away for three days is lost.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { isFault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { LockStore } from '../records/record-store.js'
import { lookForChallenge, type ResolveTxt } from './challenge.js'
import type { DomainClaims } from './domain-claims.js'
import type { HeldDocuments } from './held-documents.js'
import type { Claimant, Holder } from './issuer.js'

const PROVED_FOR_MS = 7 * 86_400_000
const GRACE_MS = 3 * 86_400_000
/** How often an instance looks whether the proof of a domain in use is due; sooner after a failure. */
const LOOK_EVERY_MS = 3_600_000
const LOOK_AGAIN_MS = 60_000
const MOST_REMEMBERED = 10_000
/** Covers two lookups of two seconds, and the writes around them. */
const LOCK_MS = 10_000

/**
 * What became of a domain: `proved` again; `missing` its challenge, noted once; `unanswered` by the DNS, which changes nothing;
 * `lost` after the grace; `taken_over` by an issuer that proved it later.
 */
export type DomainOutcome = 'proved' | 'missing' | 'unanswered' | 'lost' | 'taken_over'

export interface DomainEvents {
  domainChecked(outcome: DomainOutcome, about: { domain: string; owner: string; issuerId: string }): void
  /** A check in the background failed, for another reason than an unreachable storage. */
  domainCheckFailed(error: unknown): void
}

export interface DomainChecks {
  /**
   * Called whenever a domain is used; returns at once. `by` is the issuer whose tokens name the domain, which stops naming it if it
   * does not hold it.
   */
  look(domain: string, by?: Pick<Claimant, 'owner' | 'issuerId'>): void
  /** When the holder loses the domain unless its challenge comes back. */
  lostAtMs(holder: Holder): number | undefined
  /** Resolves when no check is under way on this instance. */
  settle(): Promise<void>
}

export interface DomainChecksParts {
  claims: DomainClaims
  held: HeldDocuments
  locks: LockStore
  resolveTxt: ResolveTxt
  events: DomainEvents
  clock: Clock
}

export function createDomainChecks({
  claims,
  held,
  locks,
  resolveTxt,
  events,
  clock
}: DomainChecksParts): DomainChecks {
  /** When a domain, as somebody uses it, is looked at next. */
  const nextLooks = createBoundedCache<number>(MOST_REMEMBERED)
  const underWay = new Set<Promise<void>>()

  const isDue = ({ provedAtMs }: Holder) => clock() - provedAtMs >= PROVED_FOR_MS

  async function check(domain: string, by: Pick<Claimant, 'owner' | 'issuerId'> | undefined): Promise<void> {
    const holder = await claims.holderOf(domain)
    if (by && holder?.issuerId !== by.issuerId) await claims.settle(by.owner, by.issuerId)
    if (!holder || !isDue(holder)) return
    const [lock, id] = [`domain-check:${domain}`, randomUUID()]
    if (!(await locks.acquire(lock, id, LOCK_MS))) return
    try {
      await proveAgain(domain)
    } finally {
      // A lock that cannot be released expires by itself.
      await locks.release(lock, id).catch(() => {})
    }
  }

  async function proveAgain(domain: string): Promise<void> {
    const found = await claims.standing(domain)
    if (!found || !isDue(found.holder)) return
    const { holder, entry } = found
    const { owner, issuerId } = holder
    const tell = (outcome: DomainOutcome) => events.domainChecked(outcome, { domain, owner, issuerId })
    const atMs = clock()
    const { kind } = await lookForChallenge(entry.challenge, domain, resolveTxt)
    if (kind === 'unanswered') return tell('unanswered')
    if (kind === 'found') {
      if (await claims.note(domain, holder, 'proved', atMs)) tell('proved')
      return
    }
    const noted = await claims.note(domain, holder, 'missing', atMs)
    // Somebody has proved the domain meanwhile.
    if (!noted) return
    if (holder.missingSinceMs === undefined) return tell('missing')
    if (atMs - holder.missingSinceMs < GRACE_MS || !(await claims.lose(domain, noted))) return
    await claims.settle(owner, issuerId)
    held.forget(issuerId, [domain])
    tell('lost')
  }

  return {
    look(domain, by) {
      const name = `${domain} ${by?.issuerId ?? ''}`
      if ((nextLooks.get(name) ?? 0) > clock()) return
      nextLooks.set(name, clock() + LOOK_EVERY_MS)
      const work = check(domain, by)
        .catch((error: unknown) => {
          nextLooks.set(name, clock() + LOOK_AGAIN_MS)
          // While the storage is unreachable, the domain stays as it is.
          if (!isFault(error)) events.domainCheckFailed(error)
        })
        .finally(() => underWay.delete(work))
      underWay.add(work)
    },

    lostAtMs: ({ missingSinceMs }) => (missingSinceMs === undefined ? undefined : missingSinceMs + GRACE_MS),

    async settle() {
      await Promise.all(underWay)
    }
  }
}
