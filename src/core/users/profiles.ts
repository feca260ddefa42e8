/** What is known of users who have signed in here: what their provider, or they themselves, said the last time. */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'

const ONLY = 'profile'

export interface Profile {
  name: string
  email?: string
  /** Whether the provider vouches for the address. */
  isEmailVerified?: boolean
}

export interface Profiles {
  /**
   * What a client with these scopes is told of a user (OpenID Connect Core 1.0 §5.4): the name for `profile`, the address for
   * `email`. Nothing is known of users whom only a dashboard has signed in. Rejects with `insufficient_scope` without `openid`.
   */
  claims(userId: string, scopes: readonly string[]): Promise<Partial<Profile>>
  /** Keeps what is known now, in place of what was. */
  keep(userId: string, profile: Profile): Promise<void>
}

export interface ProfilesParts {
  records: RecordStore
  clock: Clock
}

export function createProfiles({ records, clock }: ProfilesParts): Profiles {
  return {
    async claims(userId, scopes) {
      if (!scopes.includes('openid')) throw fault('insufficient_scope')
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
      // One that was there already is changed; for a new one this is the same again.
      await records.change(userId, ONLY, {
        set: known,
        ...(email === undefined && { clear: ['email', 'isEmailVerified'] })
      })
    }
  }
}
