/** What operators do about a user, and about one authorization: from the API, the command line and the pages, each is one call. Any of them can be repeated. */
import type { Origin } from '../audit/event.js'
import type { AllAuthorizations } from '../authorizations/all-authorizations.js'
import type { Authorization } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import { fault } from '../fault.js'
import type { ListOptions } from '../records/batches.js'
import { LARGEST_PAGE } from '../records/record-store.js'
import type { Upstream } from '../upstream/upstream.js'
import type { Identities } from '../users/identities.js'
import type { Profiles } from '../users/profiles.js'
import { isUserId, type Users } from '../users/user.js'
import type { Directory, Person } from './directory.js'

/** A subject identifier (RFC 9493) of one of the formats that lead to users here. */
export interface SubjectIdentifier {
  format: 'iss_sub' | 'email' | 'opaque'
  iss?: string
  sub?: string
  email?: string
  id?: string
}

export interface Measures {
  /** Blocks a user, known or not. Undefined for what can be no user's id. */
  block(userId: string, by: Origin): Promise<Person | undefined>
  /** Undefined if nothing is known of the user. */
  unblock(userId: string, by: Origin): Promise<Person | undefined>
  /**
   * Ends all sessions of the pages and revokes every authorization, collected or not. Resolves to how many this call has revoked;
   * undefined if nothing is known of the user. Rejects with `unavailable` where it could not go on; another call does.
   */
  revokeAll(userId: string, by: Origin): Promise<number | undefined>
  /** Revokes one authorization, whosever it is. Undefined if there is none with this id. */
  revoke(authorizationId: string, by: Origin): Promise<Authorization | undefined>
  /** The same as `revokeAll` for everybody whom an identifier names. Undefined if that is nobody. */
  revokeAllOf(subject: SubjectIdentifier, by: Origin): Promise<number | undefined>
}

export interface MeasuresParts {
  /** `iss` of our own tokens, whose `sub` is the id of a user. */
  issuer: string
  upstreams: readonly Upstream[]
  users: Pick<Users, 'block' | 'unblock' | 'signOutEverywhere'>
  profiles: Pick<Profiles, 'withEmail'>
  identities: Pick<Identities, 'userOf'>
  authorizations: Pick<Authorizations, 'revoke' | 'revokeAll'>
  allAuthorizations: Pick<AllAuthorizations, 'findById'>
  directory: Pick<Directory, 'show'>
}

export function createMeasures(parts: MeasuresParts): Measures {
  const { issuer, upstreams, users, profiles, identities, authorizations, allAuthorizations, directory } = parts

  async function revokeAll(userId: string, by: Origin): Promise<number | undefined> {
    if (!(await directory.show(userId))) return undefined
    // First, so that nobody approves on the pages what would have to be revoked next.
    await users.signOutEverywhere(userId, by)
    return authorizations.revokeAll(userId, 'operator', by)
  }

  async function usersOf({ format, iss, sub, email, id }: SubjectIdentifier): Promise<string[]> {
    const missing = (names: string) => fault('invalid_request', { hint: `sub_id of this format has ${names}` })
    if (format === 'opaque') {
      if (id === undefined) throw missing('id')
      return [id]
    }
    if (format === 'email') {
      if (email === undefined) throw missing('email')
      return everyoneWith(email)
    }
    if (iss === undefined || sub === undefined) throw missing('iss and sub')
    if (iss === issuer) return [sub]
    const known = upstreams
      .filter(({ endpoints }) => 'issuer' in endpoints && endpoints.issuer === iss)
      .map((upstream) => identities.userOf(upstream.id, sub))
    return (await Promise.all(known)).filter((userId) => userId !== undefined)
  }

  async function everyoneWith(email: string): Promise<string[]> {
    const found: string[] = []
    let after: ListOptions['after']
    do {
      const { items, next } = await profiles.withEmail(email, { after, most: LARGEST_PAGE })
      found.push(...items)
      after = next
    } while (after !== undefined)
    return found
  }

  return {
    async block(userId, by) {
      if (!isUserId(userId)) return undefined
      await users.block(userId, by)
      return directory.show(userId)
    },

    async unblock(userId, by) {
      if (!(await directory.show(userId))) return undefined
      await users.unblock(userId, by)
      return directory.show(userId)
    },

    revokeAll,

    async revoke(authorizationId, by) {
      const authorization = await allAuthorizations.findById(authorizationId)
      return authorization && authorizations.revoke(authorization.userId, authorization.id, 'operator', by)
    },

    async revokeAllOf(subject, by) {
      let total: number | undefined
      for (const userId of new Set(await usersOf(subject))) {
        const revoked = await revokeAll(userId, by)
        if (revoked !== undefined) total = (total ?? 0) + revoked
      }
      return total
    }
  }
}
