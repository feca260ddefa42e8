/**
 * The grants that wait for their decision, for operators: by the places that they take in the counters of pending-grants.ts, so that the list
 * costs a start nothing. Where nothing is limited (LIMITS=off) nobody takes a place, and the list is empty. A grant is shown without its
 * codes: by the beginning of its digest.
 */
import { grantIdOf } from '../audit/event.js'
import type { Clients } from '../clients/clients.js'
import type { Attempt, LimitStore } from '../limits/limits.js'
import type { List, ListOptions } from '../records/batches.js'
import type { GrantRequest } from './grant.js'
import type { FoundGrant, GrantStore } from './grant-store.js'
import { PENDING_BY_URL, pendingOf } from './pending-grants.js'

export interface WaitingGrant {
  grantId: string
  request: GrantRequest
  startedAtMs: number
  expiresAtMs: number
}

/** The grants of a client that wait. A grant that was decided when the counter could not be reached counts until its life ends. */
export interface WaitingOfClient {
  clientId: string
  count: number
  oldestStartedAtMs: number
}

export interface PendingList {
  /** The clients with grants that wait. Of those that are known by a URL, the ones that have started the oldest. */
  byClient(): Promise<WaitingOfClient[]>
  /** A part of the grants that wait, client by client, of each the oldest first. May have fewer than asked for, or none. */
  page(options: ListOptions): Promise<List<WaitingGrant>>
}

export interface PendingListParts {
  limits: Pick<LimitStore, 'taken'>
  store: Pick<GrantStore, 'get'>
  clients: Pick<Clients, 'list'>
  grantTtlSeconds: number
}

/** So many grants of clients that are known by a URL are looked at, to learn which clients these are. */
const LOOKED_AT = 200

export function createPendingList({ limits, store, clients, grantTtlSeconds }: PendingListParts): PendingList {
  const lifeMs = grantTtlSeconds * 1000
  const ids = clients.list().map(({ id }) => id)
  const taken = (key: string, options: Parameters<LimitStore['taken']>[2]) => limits.taken(key, lifeMs, options)

  async function read(attempts: readonly Attempt[]): Promise<FoundGrant[]> {
    const found = await Promise.all(attempts.map(({ id }) => store.get(id)))
    return found.flatMap((grant) => (grant?.state === 'pending' ? grant : []))
  }

  return {
    async byClient() {
      const byUrl = await read((await taken(PENDING_BY_URL, { most: LOOKED_AT })).attempts)
      const all = [...new Set([...ids, ...byUrl.map(({ request }) => request.clientId)])]
      const counted = all.map(async (clientId) => ({ clientId, ...(await taken(pendingOf(clientId), { most: 1 })) }))
      return (await Promise.all(counted)).flatMap(({ clientId, count, attempts: [oldest] }) =>
        oldest ? { clientId, count, oldestStartedAtMs: oldest.atMs } : []
      )
    },

    async page({ after, most }) {
      const counters = [...ids.map(pendingOf), PENDING_BY_URL]
      const place = after === undefined ? undefined : readPlace(after)
      const items: WaitingGrant[] = []
      let from = place?.attempt
      for (const key of counters.slice(place ? counters.indexOf(place.key) : 0)) {
        const wanted = most - items.length
        const { attempts } = await taken(key, { after: from, most: wanted })
        from = undefined
        items.push(...(await read(attempts)).map(toWaiting))
        const last = attempts.at(-1)
        if (last && attempts.length === wanted) return { items, next: JSON.stringify([key, last.atMs, last.id]) }
      }
      return { items, next: undefined }
    }
  }
}

/** A counter, and the attempt there after which the next part begins. */
function readPlace(position: string): { key: string; attempt: Attempt } {
  const [key, atMs, id] = JSON.parse(position) as [string, number, string]
  return { key, attempt: { id, atMs } }
}

const toWaiting = ({ grantDigest, request, createdAtMs, expiresAtMs }: FoundGrant): WaitingGrant => ({
  grantId: grantIdOf(grantDigest),
  request,
  startedAtMs: createdAtMs,
  expiresAtMs
})
