/**
 * The profiles of users who signed in on the pages: their name and e-mail address as of the last sign-in with
 * their first identity, and the users by their address. What an address leads to is looked up in the profile: a user is found by
 * the address that they have.
 */
import type { Clock } from '../clock.js'
import { fault } from '../fault.js'
import type { List, ListOptions } from '../records/batches.js'
import { fieldsLike, Text, TimeText } from '../records/readable.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'

const ONLY = 'profile'

export interface Profile {
  name: string
  email?: string
  /** Whether the upstream says that the address is verified. */
  isEmailVerified?: boolean
  /** The identity that says so; it is not known of one that was kept by a version before. */
  identity?: { upstreamId: string; subject: string }
}

export const isProfile = fieldsLike({ name: Text })

export interface Profiles {
  /**
   * What a client with these scopes is told of a user (OpenID Connect Core 1.0 §5.4): the name for `profile`, the address for
   * `email`. Nothing is known of users whom only a dashboard has signed in. Rejects with `insufficient_scope` without `openid`.
   */
  claims(userId: string, scopes: readonly string[]): Promise<Partial<Profile>>
  /** All that is known of a user; undefined if nothing is. */
  get(userId: string): Promise<Profile | undefined>
  /** The users whose address is this one, but for the case of its letters. Several may have it, verified or not. */
  withEmail(email: string, options: ListOptions): Promise<List<string>>
  /** Lists users of a part of all profiles below their address where they are missing there. Resolves as `indexSome` of authorizations does. */
  indexSome(options: ListOptions): Promise<{ seen: number; added: number; next: string | undefined }>
  /** Stores the profile, in place of an earlier one. */
  keep(userId: string, profile: Profile): Promise<void>
}

export interface ProfilesParts {
  records: RecordStore
  /** The ids of users below the digest of their address. */
  emails: RecordStore
  clock: Clock
}

export const isEmailOfUser = fieldsLike({ sinceMs: TimeText })

/** Addresses that people take for the same are: no mail service tells them apart by case. */
const normalized = (email: string) => email.normalize('NFC').toLowerCase()
export const isSameEmail = (a: string | undefined, b: string) => a !== undefined && normalized(a) === normalized(b)
const placeOf = (email: string) => digestOf(normalized(email))

export function createProfiles({ records, emails, clock }: ProfilesParts): Profiles {
  async function get(userId: string): Promise<Profile | undefined> {
    const fields = await records.get(userId, ONLY)
    return fields && fromFields(fields)
  }

  return {
    get,

    async withEmail(email, { after, most }) {
      const place = placeOf(email)
      const { ids, next } = await emails.ids(place, { order: 'first-to-end', after, most })
      const found = await Promise.all(ids.map(async (id) => ({ id, email: (await get(id))?.email })))
      // An interrupted change of address leaves the old one behind.
      const items = found.filter((user) => isSameEmail(user.email, email))
      return { items: items.map(({ id }) => id), next }
    },

    async indexSome(options) {
      const { records: found, next } = await records.scan(options)
      const fields = { sinceMs: String(clock()) }
      const added = await Promise.all(
        found.map(async ({ parent: userId, fields: { email } }) => {
          if (email === undefined || (await emails.get(placeOf(email), userId))) return 0
          await emails.create(placeOf(email), userId, fields, clock() + FOR_EVER_MS)
          return 1 as number
        })
      )
      return { seen: found.length, added: added.reduce((sum, one) => sum + one, 0), next }
    },

    async claims(userId, scopes) {
      if (!scopes.includes('openid')) throw fault('insufficient_scope', { scope: 'openid' })
      const [tellsName, tellsEmail] = [scopes.includes('profile'), scopes.includes('email')]
      const profile = tellsName || tellsEmail ? await get(userId) : undefined
      if (!profile) return {}
      const { name, email, isEmailVerified = false } = profile
      return {
        ...(tellsName && { name }),
        ...(tellsEmail && email !== undefined && { email, isEmailVerified })
      }
    },

    async keep(userId, { name, email, isEmailVerified = false, identity }) {
      const keepUntilMs = clock() + FOR_EVER_MS
      const known: Fields = {
        name,
        ...(identity && { providerId: identity.upstreamId, subject: identity.subject }),
        ...(email !== undefined && { email, isEmailVerified: isEmailVerified ? 'yes' : 'no' })
      }
      // Before the profile, so that nobody has an address by which they are not found.
      if (email !== undefined) await emails.create(placeOf(email), userId, { sinceMs: String(clock()) }, keepUntilMs)
      const before = await records.create(userId, ONLY, known, keepUntilMs)
      // `create` leaves an existing profile as it is, so this replaces its fields; a new profile gets the same values again.
      await records.change(userId, ONLY, {
        set: known,
        ...(email === undefined && { clear: ['email', 'isEmailVerified'] })
      })
      const left = email !== undefined && isSameEmail(before.email, email) ? undefined : before.email
      if (left !== undefined) await emails.delete(placeOf(left), userId)
    }
  }
}

function fromFields({ name = '', email, isEmailVerified, providerId: upstreamId, subject }: Fields): Profile {
  return {
    name,
    ...(email !== undefined && { email, isEmailVerified: isEmailVerified === 'yes' }),
    ...(upstreamId !== undefined && subject !== undefined && { identity: { upstreamId, subject } })
  }
}
