/** The revocation feed in memory: entries in their order, found by the id of their authorization as well. */
import { randomBytes } from 'node:crypto'
import {
  type FeedPosition,
  KEPT_AFTER_MS,
  LASTS_LONGER_MS,
  REMEMBERED_ENTRIES,
  type Revocable,
  type Revocation,
  type RevocationStore,
  START,
  SWEPT_AT_ONCE
} from '../../core/authorizations/revocation-store.js'
import type { Clock } from '../../core/clock.js'
import type { Sweeps } from './sweeps.js'

interface Entry extends Revocation {
  number: number
  position: FeedPosition
}

export function createMemoryRevocationStore(clock: Clock, sweeps: Sweeps, revoked: () => void): RevocationStore {
  /** In the order of their numbers. */
  let entries: Entry[] = []
  const byId = new Map<string, Entry>()
  const unfinished = new Map<string, Revocable & { sinceMs: number }>()
  /** The last positions, each in the place of its number's remainder. */
  const positions: FeedPosition[] = []
  let number = 0

  function drop(most = Number.POSITIVE_INFINITY): number {
    const endedMs = clock() - KEPT_AFTER_MS
    const ended = entries.filter(({ untilMs }) => untilMs <= endedMs).slice(0, most)
    for (const { authorizationId } of ended) byId.delete(authorizationId)
    if (ended.length > 0) entries = entries.filter(({ authorizationId }) => byId.has(authorizationId))
    return ended.length
  }
  sweeps.add({ sweep: () => void drop(), kept: () => entries.length })

  const positionOf = (ofNumber: number) => positions[ofNumber % REMEMBERED_ENTRIES]

  /** How many entries have this number or a smaller one. */
  function rankOf(ofNumber: number): number {
    let [low, high] = [0, entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((entries[middle] as Entry).number <= ofNumber) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    async announce(announcements) {
      const before = number
      for (const { userId, statusIndex, ...revocation } of announcements) {
        const { authorizationId } = revocation
        const known = byId.get(authorizationId)
        if (!known || known.untilMs + LASTS_LONGER_MS < revocation.untilMs) {
          number += 1
          const position = `${number}.${randomBytes(9).toString('base64url')}`
          positions[number % REMEMBERED_ENTRIES] = position
          const entry = { ...revocation, ...(statusIndex !== undefined && { statusIndex }), number, position }
          if (known) entries = entries.filter((one) => one !== known)
          byId.set(authorizationId, entry)
          entries.push(entry)
        }
        unfinished.set(`${authorizationId} ${userId}`, { authorizationId, userId, sinceMs: clock() })
      }
      if (number > before) revoked()
    },

    async finish(done) {
      for (const { authorizationId, userId } of done) unfinished.delete(`${authorizationId} ${userId}`)
    },

    async sweep(forMs) {
      const nowMs = clock()
      const found = [...unfinished.values()].filter(({ sinceMs }) => sinceMs <= nowMs - forMs).slice(0, SWEPT_AT_ONCE)
      for (const one of found) one.sinceMs = nowMs
      return {
        dropped: drop(SWEPT_AT_ONCE),
        unfinished: found.map(({ userId, authorizationId }) => ({ userId, authorizationId }))
      }
    },

    async page(after, most) {
      const afterNumber = Number.parseInt(after, 10)
      const rank = rankOf(afterNumber)
      const isKnown = after === START || positionOf(afterNumber) === after || entries[rank - 1]?.position === after
      if (!isKnown) return 'gone'
      const found = entries.slice(rank, rank + most)
      const isMore = rank + most < entries.length
      return {
        revocations: found.map(({ number: _number, position: _position, ...revocation }) => revocation),
        isMore,
        next: isMore ? (found.at(-1) as Entry).position : (positionOf(number) ?? START)
      }
    },

    head: async () => positionOf(number) ?? START
  }
}
