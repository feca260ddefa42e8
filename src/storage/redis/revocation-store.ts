/** The revocation feed in Redis: five keys in one slot, so that a script sees and changes it as a whole. */
import { randomBytes } from 'node:crypto'
import {
  type Announcement,
  type FeedPosition,
  isFeedPosition,
  KEPT_AFTER_MS,
  REMEMBERED_ENTRIES,
  type Revocable,
  type Revocation,
  type RevocationStore,
  START,
  SWEPT_AT_ONCE
} from '../../core/authorizations/revocation-store.js'
import type { Clock } from '../../core/clock.js'
import type { RedisConnection } from './connection.js'
import { REVOCATIONS } from './decision-feed.js'
import type { Keys } from './keys.js'
import { bestEffort } from './record-store.js'

const ENTRY = /^(\d+\.[A-Za-z0-9_-]+) (\d{1,15}) (\d{1,15})(?: (\d{1,15}))?$/

export function createRedisRevocationStore(connection: RedisConnection, keys: Keys, clock: Clock): RevocationStore {
  const { call, run, runDurably } = connection
  const { entries, order, ends, unfinished, positions, channel } = keys.revocations
  const unreadable = () => connection.unreadable('revocation')

  const readUnfinished = (text: string): Revocable => {
    const space = text.indexOf(' ')
    if (space < 0) throw unreadable()
    return { authorizationId: text.slice(0, space), userId: text.slice(space + 1) }
  }
  const writeUnfinished = ({ authorizationId, userId }: Revocable) => `${authorizationId} ${userId}`

  const argumentsOf = (one: Announcement) => [
    one.authorizationId,
    Math.floor(one.revokedAtMs),
    Math.ceil(one.untilMs),
    one.userId,
    one.statusIndex ?? ''
  ]

  function read(authorizationId: string, entry: string | null | undefined): [FeedPosition, Revocation] {
    const [, position = '', revokedAtMs, untilMs, statusIndex] = ENTRY.exec(entry ?? '') ?? []
    if (!isFeedPosition(position)) throw unreadable()
    const revocation = { authorizationId, revokedAtMs: Number(revokedAtMs), untilMs: Number(untilMs) }
    return [position, statusIndex === undefined ? revocation : { ...revocation, statusIndex: Number(statusIndex) }]
  }

  function readPosition(text: string | null): FeedPosition {
    if (text !== null && !isFeedPosition(text)) throw unreadable()
    return text ?? START
  }

  return {
    async announce(announcements) {
      const tag = randomBytes(9).toString('base64url')
      const args = [clock(), tag, channel, REVOCATIONS, REMEMBERED_ENTRIES, ...announcements.flatMap(argumentsOf)]
      await runDurably('revocation-announce', entries, order, ends, unfinished, positions, ...args)
    },

    finish: (done) =>
      bestEffort(() => call('revocation-finish', (redis) => redis.zrem(unfinished, done.map(writeUnfinished)))),

    async sweep(forMs) {
      const nowMs = clock()
      const args = [nowMs, nowMs - forMs, nowMs - KEPT_AFTER_MS, SWEPT_AT_ONCE]
      const reply = await run('revocation-sweep', entries, order, ends, unfinished, ...args)
      const [dropped, ...found] = reply as [number, ...string[]]
      return { dropped, unfinished: found.map(readUnfinished) }
    },

    async page(after, most) {
      const [number = START] = after.split('.', 1)
      const reply = await run('revocation-page', entries, order, positions, number, after, most, REMEMBERED_ENTRIES)
      if (reply === 'gone') return 'gone'
      const [rest, last, ids, found] = reply as ['more' | 'last', string, string[], (string | null)[]]
      const all = ids.map((id, i) => read(id, found[i]))
      const isMore = rest === 'more'
      const next = readPosition(isMore ? (all.at(-1)?.[0] as FeedPosition) : last)
      return { revocations: all.map(([, revocation]) => revocation), isMore, next }
    },

    head: async () => readPosition(await call('revocation-head', (redis) => redis.hget(positions, 'last')))
  }
}
