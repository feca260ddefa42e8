/** The profiles of users who signed in on the pages: their name and e-mail address as of the last sign-in. */
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'

const ONLY = 'profile'

export interface Profile {
  name: string
  email?: string
  /** Whether the upstream says that the address is verified. */
  isEmailVerified?: boolean
}

export interface Profiles {
  find(userId: string): Promise<Profile | undefined>
  /** Stores the profile, in place of an earlier one. */
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
      // `create` leaves an existing profile as it is, so this replaces its fields; a new profile gets the same values again.
      await records.change(userId, ONLY, {
        set: known,
        ...(email === undefined && { clear: ['email', 'isEmailVerified'] })
      })
    }
  }
}
