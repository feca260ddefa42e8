/**
 * A user: the id, which is `sub` in every token, and the standing. The dashboard chooses the id, or it is assigned at the first
 * sign-in on the pages; where people sign in by typing a name, that name is their id. The standing says whether the user is
 * blocked, which revocation of everything was their last, and which sessions of the pages have ended at once.
 */
import { randomUUID } from 'node:crypto'
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Origin } from '../audit/event.js'
import type { Clock } from '../clock.js'
import { fieldsLike, type IsReadable, numberOf, TimeText } from '../records/readable.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'

/** The length cap OpenID Connect Core 1.0 §2 sets for `sub`; user ids are also parts of Redis keys. */
const LONGEST_USER_ID = 255
/** At most 64 characters, all of them visible, no space at either end. */
const TYPED_NAME = /^(?!\p{Z})[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<!\p{Z})$/u
const ONLY = 'standing'

/** Whether a value can be a user id. A lone surrogate is refused, because it has no UTF-8 form. */
export function isUserId(sub: unknown): sub is string {
  return typeof sub === 'string' && sub.length > 0 && sub.length <= LONGEST_USER_ID && !/\p{Surrogate}/u.test(sub)
}

/** The name that somebody typed, without the space around it, if people can be called that. */
export function readTypedName(typed: unknown): string | undefined {
  const name = typeof typed === 'string' ? typed.trim() : ''
  return TYPED_NAME.test(name) && isUserId(name) ? name : undefined
}

/** Of a user of whom nothing is stored, it says that they are not blocked and that nothing of theirs was ended. */
export interface Standing {
  /** Since when the user is blocked: approves nothing, gets no tokens, and those they have are refused. */
  blockedAtMs: number | undefined
  /**
   * The last revocation of everything that the user granted. Its id tells whether an approval came after it without comparing
   * the clocks of two instances.
   */
  revokedAll: { id: string; atMs: number } | undefined
  /** The id of the last time that all their sessions ended, '' if there was none: those that began under another one have. */
  signedOutId: string
}

const TIMES = { blockedAtMs: TimeText, unblockedAtMs: TimeText, revokedAllAtMs: TimeText, signedOutAtMs: TimeText }
const hasTimes = fieldsLike({}, TIMES)

/** The record of a standing says one thing at least: from one that says nothing it cannot be known that a user is not blocked. */
export const isStanding: IsReadable = (fields) =>
  hasTimes(fields) &&
  Object.keys(TIMES).some((name) => fields[name] !== undefined) &&
  (fields.revokedAllId === undefined) === (fields.revokedAllAtMs === undefined)

/** Every method rejects with `unavailable` if the storage cannot answer, which says neither that a user is blocked nor not. */
export interface Users {
  standingOf(userId: string): Promise<Standing>
  /** The same, but undefined for a user of whom none is stored. */
  find(userId: string): Promise<Standing | undefined>
  isBlocked(userId: string): Promise<boolean>
  /** Blocks the user, from the next request on. Idempotent: the time of the first call stays. */
  block(userId: string, by: Origin): Promise<void>
  /** Lets the user be again: what was not revoked meanwhile is valid again. Idempotent. */
  unblock(userId: string, by: Origin): Promise<void>
  /** Notes that everything is being revoked. To be called before the authorizations are listed for that. */
  noteRevokedAll(userId: string): Promise<void>
  /** Ends all sessions of the pages, on every instance from the next request on. They compare an id, which costs them nothing. */
  signOutEverywhere(userId: string, by: Origin): Promise<void>
}

export interface UsersParts {
  records: RecordStore
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
}

export function createUsers({ records, clock, audit }: UsersParts): Users {
  async function find(userId: string): Promise<Standing | undefined> {
    const fields = await records.get(userId, ONLY)
    return fields && fromFields(fields)
  }

  const standingOf = async (userId: string) => (await find(userId)) ?? fromFields({})

  async function write(userId: string, fields: Fields): Promise<void> {
    const kept = await records.create(userId, ONLY, fields, clock() + FOR_EVER_MS)
    const isWritten = Object.entries(fields).every(([name, value]) => kept[name] === value)
    if (!isWritten) await records.change(userId, ONLY, { set: fields })
  }

  return {
    standingOf,
    find,
    isBlocked: async (userId) => (await standingOf(userId)).blockedAtMs !== undefined,

    async block(userId, by) {
      const fields = { blockedAtMs: String(clock()) }
      // `create` leaves an existing record as it is.
      const kept = await records.create(userId, ONLY, fields, clock() + FOR_EVER_MS)
      if (kept.blockedAtMs === undefined) await records.change(userId, ONLY, { setOnce: fields })
      await audit.tell({ type: 'user.blocked', ...by, userId })
    },

    async unblock(userId, by) {
      // Told before it is done, for afterwards nobody could know whether there was a block. Who was not blocked is not told of.
      if ((await standingOf(userId)).blockedAtMs !== undefined) {
        await audit.tell({ type: 'user.unblocked', ...by, userId })
      }
      // Something is set as well, because Redis deletes a hash with its last field and the index would go on naming it.
      await records.change(userId, ONLY, { set: { unblockedAtMs: String(clock()) }, clear: ['blockedAtMs'] })
    },

    noteRevokedAll: (userId) => write(userId, { revokedAllId: randomUUID(), revokedAllAtMs: String(clock()) }),

    async signOutEverywhere(userId, by) {
      await write(userId, { signedOutId: randomUUID(), signedOutAtMs: String(clock()) })
      await audit.tell({ type: 'user.signed_out', ...by, userId, detail: 'everywhere' })
    }
  }
}

function fromFields({ blockedAtMs, revokedAllId, revokedAllAtMs, signedOutId = '' }: Fields): Standing {
  return {
    blockedAtMs: numberOf(blockedAtMs),
    revokedAll: revokedAllId === undefined ? undefined : { id: revokedAllId, atMs: Number(revokedAllAtMs) },
    signedOutId
  }
}
