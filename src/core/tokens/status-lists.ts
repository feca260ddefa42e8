/**
 * Token Status Lists: what the revocation feed says, in a form that anybody may read and hold for a minute. An instance reads on in
 * the feed when somebody asks for a list, at most once in a while for all of them, and signs a list anew when it says something else.
 */
import { type FeedPosition, KEPT_AFTER_MS, type RevocationStore, START } from '../authorizations/revocation-store.js'
import type { StatusIndexStore } from '../authorizations/status-index.js'
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { createBoundedCache } from '../records/bounded-cache.js'
import type { IdTokensParts } from './id-tokens.js'
import { bitsOf, endOfWindow, etagOf, type StatusListToken, signStatusList } from './status-list-token.js'

/** What was read of the feed does for so long. */
const HOLD_MS = 5_000
/** Entries asked for at once, between which the storage serves others. */
const PIECE = 200
/** A signed list has some tens of kilobytes at most. */
const MOST_HELD = 64

export interface StatusLists {
  /**
   * The list of this number, which lacks nothing that was revoked HOLD_MS ago. Undefined if there is none. Rejects with
   * `unavailable` when the feed cannot be read, or there is no signing key.
   */
  get(list: number): Promise<StatusListToken | undefined>
}

export interface StatusListsParts extends IdTokensParts {
  store: Pick<RevocationStore, 'page'>
  indices: Pick<StatusIndexStore, 'currentList'>
  clock: Clock
}

interface Held {
  /** The reading, the key and the end that it goes by. */
  name: string
  etag: string
  token: Promise<StatusListToken>
}

export function createStatusLists({ store, indices, keys, jwt, issuer, clock }: StatusListsParts): StatusLists {
  /** When the tokens of what was revoked end, by its index. */
  const revoked = new Map<number, number>()
  let position: FeedPosition = START
  let currentList = 0
  let readings = 0
  let readAtMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined
  const held = createBoundedCache<Held>(MOST_HELD)

  /** Reads on where the last reading ended, whether that went to the end of the feed or failed. */
  async function read(): Promise<void> {
    const startedAtMs = clock()
    currentList = await indices.currentList()
    for (let isMore = true; isMore; ) {
      const page = await store.page(position, PIECE)
      if (page === 'gone') {
        revoked.clear()
        position = START
        continue
      }
      for (const { statusIndex, untilMs } of page.revocations) {
        if (statusIndex !== undefined) revoked.set(statusIndex, Math.max(untilMs, revoked.get(statusIndex) ?? 0))
      }
      position = page.next
      isMore = page.isMore
    }
    // The clocks of those who read the list differ.
    for (const [index, untilMs] of revoked) if (untilMs <= startedAtMs - KEPT_AFTER_MS) revoked.delete(index)
    readings += 1
    readAtMs = startedAtMs
  }

  function readIfDue(): Promise<void> | undefined {
    const agoMs = clock() - readAtMs
    if (agoMs >= 0 && agoMs < HOLD_MS) return undefined
    underWay ??= read().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  return {
    async get(list) {
      await readIfDue()
      // The next list is there before its first place is taken on whichever instance.
      if (list > currentList + 1) return undefined
      const key = keys.current()
      if (!key) throw fault('unavailable', { detail: 'no signing key yet' })
      const nowMs = clock()
      const known = held.get(`${list}`)
      const expiresAtSeconds = endOfWindow(nowMs)
      const name = `${readings} ${key.kid} ${expiresAtSeconds}`
      if (known?.name === name) return known.token
      const bits = bitsOf(list, revoked.keys())
      const etag = etagOf(bits, key, expiresAtSeconds)
      const isSame = known?.etag === etag
      const token = isSame
        ? known.token
        : signStatusList(jwt, key, { issuer, list, bits, nowMs, expiresAtSeconds }).then((text) => ({
            jwt: text,
            etag
          }))
      held.set(`${list}`, { name, etag, token })
      return token
    }
  }
}
