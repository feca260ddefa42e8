/**
 * Maps identities at upstreams to users. An identity is an upstream and a subject, never an e-mail address, which can change
 * hands. It belongs to one user until that user disconnects it; the identity of a user's first sign-in stays theirs for good.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'

const ONLY = 'identity'

export interface Identity {
  userId: string
  /** The id of its connection, which stays the same when the account is connected again. */
  connectionId: string
}

export interface Identities {
  /** The identity's user at a sign-in. An unknown identity becomes that of a new user, whose id is `newUserId` or a UUID. */
  signIn(upstreamId: string, subject: string, newUserId?: string): Promise<Identity>
  /** The identity's user when `userId` connects it: another user if it is theirs already, otherwise `userId` from now on. */
  connect(upstreamId: string, subject: string, userId: string): Promise<Identity>
  /** Forgets a connected identity. That of a first sign-in stays: without it the next sign-in would create another user. */
  release(upstreamId: string, subject: string): Promise<void>
}

export interface IdentitiesParts {
  records: RecordStore
  clock: Clock
}

export function createIdentities({ records, clock }: IdentitiesParts): Identities {
  /** A digest, because the upstream chooses the subject's characters and length. */
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
