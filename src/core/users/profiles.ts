/**
 * The profiles of users who signed in on the pages: their name and e-mail address as of the last sign-in with
 * their first identity.
 */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { fieldsLike, Text } from '../records/readable.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'

const ONLY = 'profile'

export interface Profile {
  name: string
  email?: string
  /** Whether the upstream says that the address is verified. */
  isEmailVerified?: boolean
}

export const isProfile = fieldsLike({ name: Text })

export interface Profiles {
  /**
   * What a client with these scopes is told of a user (OpenID Connect Core 1.0 §5.4): the name for `profile`, the address for
   * `email`. Nothing is known of users whom only a dashboard has signed in. Rejects with `insufficient_scope` without `openid`.
   */
  claims(userId: string, scopes: readonly string[]): Promise<Partial<Profile>>
  /** Stores the profile, in place of an earlier one. */
  keep(userId: string, profile: Profile): Promise<void>
}

export interface ProfilesParts {
  records: RecordStore
  clock: Clock
}

export function createProfiles({ records, clock }: ProfilesParts): Profiles {
  return {
    async claims(userId, scopes) {
      if (!scopes.includes('openid')) throw fault('insufficient_scope', { scope: 'openid' })
      const [tellsName, tellsEmail] = [scopes.includes('profile'), scopes.includes('email')]
      const fields = tellsName || tellsEmail ? await records.get(userId, ONLY) : undefined
      if (!fields) return {}
      const { name = '', email, isEmailVerified } = fields
      return {
        ...(tellsName && { name }),
        ...(tellsEmail && email !== undefined && { email, isEmailVerified: isEmailVerified === 'yes' })
      }
    },

    async keep(userId, { name, email, isEmailVerified = false }) {
      const known: Fields = {
        name,
        ...(email !== undefined && { email, isEmailVerified: isEmailVerified ? 'yes' : 'no' })
      }
      await records.create(userId, ONLY, known, clock() + FOR_EVER_MS)
      // `create` leaves an existing profile as it is, so this replaces its fields; a new profile gets the same values again.
      await records.change(userId, ONLY, {
        set: known,
        ...(email === undefined && { clear: ['email', 'isEmailVerified'] })
      })
    }
  }
}
