/**
 * The caps on how many grants of one address and of one client wait for their decision. Each takes a place in two counters of the
 * limit store and leaves them when it is decided or withdrawn. Whatever is missed (a lost answer, a grant that expires) heals when the
 * life of the grant ends, which is as long as it can take a place.
 */
import { isKnownByUrl } from '../clients/client.js'
import { fault, isFault } from '../fault.js'
import { type LimitStore, limitKey } from '../limits/limits.js'

export interface PendingBounds {
  perAddress: number
  perClient: number
  /** What an address is counted as; undefined for one that is not counted. */
  networkOf(ip: string): string | undefined
  /** Called when a grant is refused. */
  refused(by: 'address' | 'client'): void
}

/** What a grant is counted by. */
export interface PendingGrant {
  grantDigest: string
  clientId: string
  ip: string
}

export interface PendingGrants {
  /** Takes the places of a grant. Rejects with `too_many_requests`, which carries the seconds until a place comes free. */
  enter(grant: PendingGrant, lifeMs: number): Promise<void>
  /** Frees the places. Resolves even if the storage cannot be reached. */
  leave(grant: PendingGrant): Promise<void>
}

/** The counters of the grants that wait, of a client and of all clients that are known by a URL. pending-list.ts reads them. */
export const pendingOf = (clientId: string) => limitKey('pending', 'client', clientId)
export const PENDING_BY_URL = limitKey('pending', 'known-by-url')
const UNLIMITED = 2 ** 31

/** Without bounds nothing is counted. */
export function createPendingGrants(store: LimitStore, bounds: PendingBounds | undefined): PendingGrants {
  if (!bounds) return { enter: async () => {}, leave: async () => {} }
  const { perAddress, perClient, networkOf, refused } = bounds

  function countersOf({ clientId, ip }: PendingGrant) {
    const network = networkOf(ip)
    const ofClient = { by: 'client', key: pendingOf(clientId), limit: perClient } as const
    // Nobody knows the ids of clients that are known by a URL, so that theirs are together as well, where they are not limited.
    const together = isKnownByUrl(clientId) ? [{ by: 'client', key: PENDING_BY_URL, limit: UNLIMITED } as const] : []
    if (network === undefined) return [ofClient, ...together]
    const ofAddress = { by: 'address', key: limitKey('pending', 'address', network), limit: perAddress } as const
    return [ofAddress, ofClient, ...together]
  }

  async function leave(grant: PendingGrant): Promise<void> {
    try {
      await Promise.all(countersOf(grant).map(({ key }) => store.giveBack(key, grant.grantDigest)))
    } catch (error) {
      // The decision or the refusal stands, and the place comes free by itself.
      if (!isFault(error) || error.code !== 'unavailable') throw error
    }
  }

  return {
    async enter(grant, lifeMs) {
      const taken = countersOf(grant).map(async ({ by, key, limit }) => {
        const wait = await store.take(key, grant.grantDigest, limit, lifeMs)
        return { by, freeInMs: wait?.freeInMs ?? 0 }
      })
      const full = (await Promise.all(taken)).filter(({ freeInMs }) => freeInMs > 0)
      const [first] = full
      if (!first) return
      await leave(grant)
      refused(first.by)
      const retryAfterSeconds = Math.ceil(Math.max(...full.map(({ freeInMs }) => freeInMs)) / 1000)
      throw fault('too_many_requests', { retryAfterSeconds, detail: `pending grants per ${first.by}` })
    },

    leave
  }
}
