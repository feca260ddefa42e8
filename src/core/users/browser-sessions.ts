/**
 * The sessions of the pages. Every sign-in begins one with a new token, which prevents session fixation. It ends at sign-out,
 * after an idle time, and at the latest a fixed time after sign-in. A session whose record is lost has ended.
 */
import type { Clock } from '../clock.js'
import { isWorthNoting, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'
import { type BrowserSession, fromFields, isSessionToken, newSessionToken, toFields } from './browser-session.js'

/** The record id: sessions are looked up by their token and never listed, so that each has a parent of its own. */
const ONLY = 'session'

export interface BrowserSessions {
  /** Begins a session. The returned token is not stored. */
  begin(user: {
    userId: string
    name: string
    upstreamId?: string
  }): Promise<{ token: string; session: BrowserSession }>
  /** The session with this token, unless it has ended; records its use. Rejects with `unavailable`. */
  use(token: string): Promise<BrowserSession | undefined>
  /** Deletes the session, so that no later request can use it. */
  end(session: BrowserSession): Promise<void>
}

export interface BrowserSessionsParts {
  records: RecordStore
  clock: Clock
  idleSeconds: number
  ttlSeconds: number
}

export function createBrowserSessions({
  records,
  clock,
  idleSeconds,
  ttlSeconds
}: BrowserSessionsParts): BrowserSessions {
  const endOf = ({ signedInAtMs, lastUsedAtMs }: BrowserSession) =>
    Math.min(signedInAtMs + ttlSeconds * 1000, lastUsedAtMs + idleSeconds * 1000)

  return {
    async begin({ userId, name, upstreamId }) {
      const token = newSessionToken()
      const nowMs = clock()
      const times = { signedInAtMs: nowMs, lastUsedAtMs: nowMs }
      const session: BrowserSession = { id: digestOf(token), userId, name, upstreamId, ...times }
      await records.create(session.id, ONLY, toFields(session), endOf(session))
      return { token, session }
    },

    async use(token) {
      const id = isSessionToken(token) ? digestOf(token) : undefined
      const fields = id && (await records.get(id, ONLY))
      if (!id || !fields) return undefined
      const session = fromFields(id, fields)
      const nowMs = clock()
      if (endOf(session) <= nowMs) return undefined
      if (isWorthNoting(session.lastUsedAtMs, nowMs)) {
        const used = { ...session, lastUsedAtMs: nowMs }
        await records.note(id, ONLY, { set: { lastUsedAtMs: String(nowMs) }, keepUntilMs: endOf(used) })
        return used
      }
      return session
    },

    end: ({ id }) => records.delete(id, ONLY)
  }
}
