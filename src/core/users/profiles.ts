/** What is known of users who have signed in here: what their provider, or they themselves, said the last time. */
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'

const ONLY = 'profile'

export interface Profile {
  name: string
  email?: string
  /** Whether the provider vouches for the address. */
  isEmailVerified?: boolean
}

export interface Profiles {
  find(userId: string): Promise<Profile | undefined>
  /** Keeps what is known now, in place of what was. */
  keep(userId: string, profile: Profile): Promise<void>
}

export interface ProfilesParts {
  records: RecordStore
  clock: Clock
}

export function createProfiles({ records, clock }: ProfilesParts): Profiles {
  return {
    async find(userId) {
      const fields = await records.get(userId, ONLY)
      if (!fields) return undefined
      const { name = '', email, isEmailVerified } = fields
      return { name, ...(email !== undefined && { email, isEmailVerified: isEmailVerified === 'yes' }) }
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
