/**
 * Who may see the admin pages: whom ADMINS names, by the id of a user, by an identity at an upstream, or by a group of an upstream.
 * The first is true of a user however they sign in. The others are true of a sign-in, whose session keeps which of them it has proved.
 */
import type { BrowserSession } from './browser-sessions.js'

/** What an upstream says of whoever signs in. */
export interface Proved {
  upstreamId: string
  subject: string
  groups?: readonly string[] | undefined
}

export interface Admins {
  /**
   * Which entries of ADMINS a sign-in proves, for its session to keep. No other group is kept: not what else an upstream says of its
   * users, and no more than ADMINS has.
   */
  provedBy(proved: Proved): string[]
  /** Whether this is an admin's session. An entry that has left ADMINS since the sign-in counts no more. */
  isAdmin(session: Pick<BrowserSession, 'userId' | 'adminAs'>): boolean
}

/** `entries` are those of ADMINS in their plain form, `user:ID`, `identity:UPSTREAM:SUBJECT` or `group:UPSTREAM:NAME`. */
export function createAdmins(entries: readonly string[]): Admins {
  const named = new Set(entries)
  const isNamed = (entry: string) => named.has(entry)
  return {
    provedBy: ({ upstreamId, subject, groups = [] }) =>
      // The id of an upstream has no colon, so that no subject is taken for another's, nor for a group.
      [
        ...new Set([`identity:${upstreamId}:${subject}`, ...groups.map((name) => `group:${upstreamId}:${name}`)])
      ].filter(isNamed),

    isAdmin: ({ userId, adminAs }) => isNamed(`user:${userId}`) || adminAs.some(isNamed)
  }
}
