/**
 * The sessions of the pages. Every sign-in begins one with a new token, which prevents session fixation. It ends at sign-out,
 * after an idle time, and at the latest a fixed time after sign-in, or with all others of its user. A session whose record is lost has ended. The cookie holds
 * the token; the record holds only a digest of it.
 */
import { randomBytes } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { AuditTrail } from '../audit/audit-trail.js'
import type { Whence } from '../audit/event.js'
import type { Clock } from '../clock.js'
import type { Epoch } from '../epoch/epoch.js'
import { fault } from '../fault.js'
import { fieldsLike, type IsReadable, jsonOf, Text, TimeText } from '../records/readable.js'
import { type Fields, isWorthNoting, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'
import type { Users } from './user.js'

/** The record id: sessions are looked up by their token and never listed, so that each has a parent of its own. */
const ONLY = 'session'
/** 256 random bits, as 43 base64url characters. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/

export interface BrowserSession {
  /** The digest of the token, by which the session is looked up. */
  id: string
  userId: string
  /** The user's display name. */
  name: string
  /** The upstream the user signed in with; undefined for the demo sign-in. */
  upstreamId: string | undefined
  /** When the session began. */
  signedInAtMs: number
  /** When the user proved who they are: as the upstream tells it (`auth_time`), otherwise when the session began. */
  authenticatedAtMs: number
  /** Whether that was asked for, and shown: the upstream did not let them through because they had signed in there before. */
  isReauthenticated: boolean
  /** Written once a minute at most, so it may lag behind by that much. */
  lastUsedAtMs: number
  /** The entries of ADMINS that its sign-in has proved (admins.ts). */
  adminAs: readonly string[]
  /** Standing.signedOutId at its begin. */
  signedOutId: string
}

export interface BrowserSessions {
  /** Begins a session. The returned token is not stored. Rejects with `user_blocked`. */
  begin(
    user: {
      userId: string
      name: string
      upstreamId?: string
      authenticatedAtMs?: number | undefined
      isReauthenticated?: boolean
      adminAs?: readonly string[]
    },
    from: Whence
  ): Promise<{ token: string; session: BrowserSession }>
  /** The session with this token, unless it or its epoch has ended or its user is blocked; records its use. Rejects with `unavailable`. */
  use(token: string): Promise<BrowserSession | undefined>
  /** Deletes the session, so that no later request can use it. */
  end(session: BrowserSession): Promise<void>
  /** The same for a user who leaves, which is told. */
  signOut(session: BrowserSession, from: Whence): Promise<void>
}

export interface BrowserSessionsParts {
  records: RecordStore
  users: Users
  epoch: Pick<Epoch, 'ends'>
  clock: Clock
  audit: Pick<AuditTrail, 'tell'>
  idleSeconds: number
  ttlSeconds: number
}

export function createBrowserSessions({
  records,
  users,
  epoch,
  clock,
  audit,
  idleSeconds,
  ttlSeconds
}: BrowserSessionsParts): BrowserSessions {
  const endOf = ({ signedInAtMs, lastUsedAtMs }: BrowserSession) =>
    Math.min(signedInAtMs + ttlSeconds * 1000, lastUsedAtMs + idleSeconds * 1000)

  return {
    async begin({ userId, name, upstreamId, authenticatedAtMs, isReauthenticated = false, adminAs = [] }, from) {
      const { blockedAtMs, signedOutId } = await users.standingOf(userId)
      if (blockedAtMs !== undefined) throw fault('user_blocked')
      const token = randomBytes(32).toString('base64url')
      const nowMs = clock()
      const session: BrowserSession = {
        ...{ id: digestOf(token), userId, name, upstreamId, isReauthenticated, adminAs, signedOutId },
        ...{ signedInAtMs: nowMs, lastUsedAtMs: nowMs },
        // The clock of an upstream may be ahead.
        authenticatedAtMs: Math.min(authenticatedAtMs ?? nowMs, nowMs)
      }
      await records.create(session.id, ONLY, toFields(session), endOf(session))
      await audit.tell({ type: 'user.signed_in', actor: `user:${userId}`, ...from, userId, detail: upstreamId })
      return { token, session }
    },

    async use(token) {
      const id = TOKEN.test(token) ? digestOf(token) : undefined
      const fields = id && (await records.get(id, ONLY))
      if (!id || !fields) return undefined
      const session = fromFields(id, fields)
      const nowMs = clock()
      if (endOf(session) <= nowMs) return undefined
      // Both are asked for in one turn, so that the second costs no further round trip.
      const [{ blockedAtMs, signedOutId }, { beforeMs }] = await Promise.all([
        users.standingOf(session.userId),
        epoch.ends()
      ])
      if (blockedAtMs !== undefined || session.signedOutId !== signedOutId) return undefined
      if (session.signedInAtMs < beforeMs) return undefined
      if (isWorthNoting(session.lastUsedAtMs, nowMs)) {
        const used = { ...session, lastUsedAtMs: nowMs }
        await records.note(id, ONLY, { set: { lastUsedAtMs: String(nowMs) }, keepUntilMs: endOf(used) })
        return used
      }
      return session
    },

    end: ({ id }) => records.delete(id, ONLY),

    async signOut({ id, userId }, from) {
      await records.delete(id, ONLY)
      await audit.tell({ type: 'user.signed_out', actor: `user:${userId}`, ...from, userId })
    }
  }
}

function toFields({
  id: _id,
  upstreamId: providerId,
  isReauthenticated,
  adminAs,
  signedOutId,
  ...rest
}: BrowserSession): Fields {
  const known = Object.entries({
    ...{ ...rest, providerId, signedOutId: signedOutId || undefined },
    isReauthenticated: isReauthenticated ? 'yes' : undefined,
    adminAs: adminAs.length > 0 ? JSON.stringify(adminAs) : undefined
  }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]))
}

const hasFields = fieldsLike(
  { userId: Text, name: Text, signedInAtMs: TimeText, lastUsedAtMs: TimeText },
  { authenticatedAtMs: TimeText }
)
const listOfTexts = jsonOf(Type.Array(Text))

export const isSession: IsReadable = (fields) => hasFields(fields) && !!listOfTexts(fields.adminAs ?? '[]')

function fromFields(id: string, fields: Fields): BrowserSession {
  return {
    id,
    userId: fields.userId ?? '',
    name: fields.name ?? '',
    upstreamId: fields.providerId,
    signedInAtMs: Number(fields.signedInAtMs),
    // Absent in a session of an older version.
    authenticatedAtMs: Number(fields.authenticatedAtMs ?? fields.signedInAtMs),
    isReauthenticated: fields.isReauthenticated === 'yes',
    adminAs: listOfTexts(fields.adminAs ?? '[]') ?? [],
    // Absent where there was none, and in a session that an instance of an older version began.
    signedOutId: fields.signedOutId ?? '',
    lastUsedAtMs: Number(fields.lastUsedAtMs)
  }
}
