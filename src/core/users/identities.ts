/**
 * Which user an account at an identity provider belongs to. An identity is a provider and a subject, never an e-mail address,
 * which can be given away and taken over. It has one user, for good or until that user gives it up.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'

const ONLY = 'identity'

export interface Identity {
  userId: string
  /** The id of the account connected through it, the same whenever it is connected again. */
  connectionId: string
}

export interface Identities {
  /** Whose identity it is when somebody signs in with it: theirs who had it, or else a new user's, by this id if there is one. */
  signIn(upstreamId: string, subject: string, newUserId?: string): Promise<Identity>
  /** Whose identity it is when this user connects it: theirs who had it, or else from now on this user's. */
  connect(upstreamId: string, subject: string, userId: string): Promise<Identity>
  /** Gives up an identity that was connected. What its user first signed in with stays: they would become somebody else. */
  release(upstreamId: string, subject: string): Promise<void>
}

export interface IdentitiesParts {
  records: RecordStore
  clock: Clock
}

export function createIdentities({ records, clock }: IdentitiesParts): Identities {
  /** A subject is the provider's choice of text, of any length. */
  const parentOf = (upstreamId: string, subject: string) => digestOf(`${upstreamId} ${subject}`)

  async function claim(upstreamId: string, subject: string, fields: Fields): Promise<Identity> {
    const fresh = { ...fields, accountId: randomUUID() }
    const kept = await records.create(parentOf(upstreamId, subject), ONLY, fresh, clock() + FOR_EVER_MS)
    return { userId: kept.userId ?? '', connectionId: kept.accountId ?? '' }
  }

  return {
    signIn: (upstreamId, subject, newUserId = randomUUID()) =>
      claim(upstreamId, subject, { userId: newUserId, isFirst: 'yes' }),

    connect: (upstreamId, subject, userId) => claim(upstreamId, subject, { userId }),

    async release(upstreamId, subject) {
      const parent = parentOf(upstreamId, subject)
      const kept = await records.get(parent, ONLY)
      if (kept && kept.isFirst !== 'yes') await records.delete(parent, ONLY)
    }
  }
}
