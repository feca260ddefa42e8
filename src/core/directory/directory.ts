/**
 * Who people are here, for operators: found by their id, their e-mail address or an identity at an upstream, each by an index. What is
 * known of a user is gathered from where it is kept: users/ has the standing, the profile and the identities, connections/ and
 * authorizations/ the rest.
 */
import type { Authorizations } from '../authorizations/authorizations.js'
import type { Connections } from '../connections/connections.js'
import { fault } from '../fault.js'
import type { List, ListOptions } from '../records/batches.js'
import { LARGEST_PAGE } from '../records/record-store.js'
import type { Identities } from '../users/identities.js'
import { isSameEmail, type Profiles } from '../users/profiles.js'
import { isUserId, type Users } from '../users/user.js'

/** An account at an upstream that is the user's. */
export interface PersonIdentity {
  upstreamId: string
  subject: string
}

export interface Person {
  userId: string
  /** Undefined for users whom only a dashboard has signed in. */
  name: string | undefined
  email: string | undefined
  isEmailVerified: boolean
  identities: PersonIdentity[]
  blockedAtMs: number | undefined
  /** How many authorizations have not ended, how many of these await their collection, and how many connections there are. */
  counts: { active: number; awaitingCollection: number; connections: number }
}

/** Whom to look for. Whatever is given must be so; at least one has to be. */
export interface PersonQuery {
  userId?: string | undefined
  email?: string | undefined
  identity?: PersonIdentity | undefined
}

export interface Directory {
  /** The users of whom all this is true. Rejects with `invalid_request` if nothing is asked for. */
  find(query: PersonQuery, options: ListOptions): Promise<List<Person>>
  /** What is known of a user; undefined if nothing is. */
  show(userId: string): Promise<Person | undefined>
}

export interface DirectoryParts {
  users: Users
  profiles: Profiles
  identities: Pick<Identities, 'userOf'>
  connections: Pick<Connections, 'list'>
  authorizations: Pick<Authorizations, 'countsOf'>
}

export function createDirectory(parts: DirectoryParts): Directory {
  const { users, profiles, identities, connections, authorizations } = parts

  async function show(userId: string): Promise<Person | undefined> {
    if (!isUserId(userId)) return undefined
    const [standing, profile, accounts, counts] = await Promise.all([
      users.find(userId),
      profiles.get(userId),
      connections.list(userId),
      authorizations.countsOf(userId)
    ])
    if (!standing && !profile && accounts.length === 0 && !counts.isAny) return undefined
    const known = [...(profile?.identity ? [profile.identity] : []), ...accounts]
    const byName = new Map(
      known.map(({ upstreamId, subject }) => [`${upstreamId} ${subject}`, { upstreamId, subject }])
    )
    return {
      userId,
      name: profile?.name,
      email: profile?.email,
      isEmailVerified: profile?.isEmailVerified === true,
      identities: [...byName.values()],
      blockedAtMs: standing?.blockedAtMs,
      counts: { active: counts.active, awaitingCollection: counts.awaited, connections: accounts.length }
    }
  }

  /** The ids by what leads to the fewest. */
  async function idsOf({ userId, identity, email }: PersonQuery, options: ListOptions): Promise<List<string>> {
    if (userId !== undefined) return { items: [userId], next: undefined }
    if (identity) {
      const known = await identities.userOf(identity.upstreamId, identity.subject)
      return { items: known === undefined ? [] : [known], next: undefined }
    }
    if (email !== undefined) return profiles.withEmail(email, options)
    throw fault('invalid_request', { hint: 'Say who is looked for, by id, email, or provider and subject' })
  }

  return {
    show,

    async find(query, options) {
      const { items, next } = await idsOf(query, { ...options, most: Math.min(options.most, LARGEST_PAGE) })
      const { email, identity } = query
      const people: Person[] = []
      for (const userId of items) {
        const person = await show(userId)
        if (!person) continue
        const isByEmail = email === undefined || isSameEmail(person.email, email)
        const isByIdentity =
          !identity || (await identities.userOf(identity.upstreamId, identity.subject)) === person.userId
        if (isByEmail && isByIdentity) people.push(person)
      }
      return { items: people, next }
    }
  }
}
