/**
 * The caps on how many grants of one address and of one client wait for their decision. Each takes a place in two counters of the
 * limit store, or three or four: an IPv6 address counts as a part of its site as well, and a client that is known by a URL as one of all
 * those. It leaves them when it is decided or withdrawn. Whatever is missed (a lost answer, a grant that expires) heals when the
 * life of the grant ends, which is as long as it can take a place.
 */
import { isKnownByUrl } from '../clients/client.js'
import { fault, isFault } from '../fault.js'
import { type LimitStore, limitKey } from '../limits/limits.js'

/** What a cap is on: an address, the /48 of one, a client, all clients that are known by a URL. */
type Counted = 'per address' | 'per /48' | 'per client' | 'of clients known by a URL'

export interface PendingBounds {
  perAddress: number
  /** Also of all clients that are known by a URL together, because whoever wants more of those names more URLs. */
  perClient: number
  /** What an address is counted as; undefined for one that is not counted. */
  networkOf(ip: string): string | undefined
  /** The /48 of an IPv6 address, as whose networks it is counted as well. */
  siteOf(ip: string): string | undefined
  /** Called when a grant is refused. */
  refused(counted: Counted): void
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
/** A /48 is what one customer may get, and has 65,536 of the networks that count as an address. */
const ADDRESSES_OF_A_SITE = 10

/** Without bounds nothing is counted. */
export function createPendingGrants(store: LimitStore, bounds: PendingBounds | undefined): PendingGrants {
  if (!bounds) return { enter: async () => {}, leave: async () => {} }
  const { perAddress, perClient, networkOf, siteOf, refused } = bounds

  function countersOf({ clientId, ip }: PendingGrant): { counted: Counted; key: string; limit: number }[] {
    const [network, site] = [networkOf(ip), siteOf(ip)]
    const ofAddress = {
      counted: 'per address',
      key: limitKey('pending', 'address', network ?? ''),
      limit: perAddress
    } as const
    const limitOfSite = perAddress * ADDRESSES_OF_A_SITE
    const ofSite = { counted: 'per /48', key: limitKey('pending', 'site', site ?? ''), limit: limitOfSite } as const
    const ofClient = { counted: 'per client', key: pendingOf(clientId), limit: perClient } as const
    const ofAll = { counted: 'of clients known by a URL', key: PENDING_BY_URL, limit: perClient } as const
    return [
      ...(network === undefined ? [] : [ofAddress]),
      ...(network === undefined || site === undefined ? [] : [ofSite]),
      ofClient,
      ...(isKnownByUrl(clientId) ? [ofAll] : [])
    ]
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
      // Each is in a slot of its own, and all of them leave together.
      const taken = countersOf(grant).map(async ({ counted, key, limit }) => {
        const wait = await store.take(key, grant.grantDigest, limit, lifeMs)
        return { counted, freeInMs: wait?.freeInMs ?? 0 }
      })
      const full = (await Promise.all(taken)).filter(({ freeInMs }) => freeInMs > 0)
      const [first] = full
      if (!first) return
      await leave(grant)
      refused(first.counted)
      const retryAfterSeconds = Math.ceil(Math.max(...full.map(({ freeInMs }) => freeInMs)) / 1000)
      throw fault('too_many_requests', { retryAfterSeconds, detail: `pending grants ${first.counted}` })
    },

    leave
  }
}
