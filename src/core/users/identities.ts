/**
 * Maps identities at upstreams to users. An identity is an upstream and a subject, never an e-mail address, which can change
 * hands. It belongs to one user until that user disconnects it; the identity of a user's first sign-in stays theirs for good.
 * Connecting is not signing in: beside the first one, an identity signs in only after its user has said so.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.js'
import { fieldsLike, Text } from '../records/readable.js'
import { type Fields, FOR_EVER_MS, type RecordStore } from '../records/record-store.js'
import { digestOf } from '../secrets/digest.js'

const ONLY = 'identity'

/**
 * What an identity may do: `first` is that of its user's first sign-in, and alone says what the user is called; `chosen` signs
 * in because its user said so; `connected` does not sign in.
 */
export type IdentityUse = 'first' | 'chosen' | 'connected'

export interface Identity {
  userId: string
  /** The id of its connection, which stays the same when the account is connected again. */
  connectionId: string
  use: IdentityUse
}

export interface Identities {
  /** The identity at a sign-in. An unknown one becomes the first of a new user, whose id is `newUserId` or a UUID. */
  signIn(upstreamId: string, subject: string, newUserId?: string): Promise<Identity>
  /** The identity's user when `userId` connects it: another user if it is theirs already, otherwise `userId` from now on. */
  connect(upstreamId: string, subject: string, userId: string): Promise<Identity>
  /** Whose identity this is; undefined if it is nobody's. */
  userOf(upstreamId: string, subject: string): Promise<string | undefined>
  /** What this user may do with an identity; undefined if it is not theirs. */
  useOf(upstreamId: string, subject: string, userId: string): Promise<IdentityUse | undefined>
  /** Lets a connected identity sign in, or no more. Changes nothing and is false if it is not this user's, or their first. */
  choose(upstreamId: string, subject: string, userId: string, signsIn: boolean): Promise<boolean>
  /**
   * Forgets the connected identity of this connection; whoever has connected it since keeps it. That of a first sign-in stays:
   * without it the next sign-in would create another user.
   */
  release(upstreamId: string, subject: string, connectionId: string): Promise<void>
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
    return { userId: kept.userId ?? '', connectionId: kept.accountId ?? '', use: useIn(kept) }
  }

  return {
    signIn: (upstreamId, subject, newUserId = randomUUID()) =>
      claim(upstreamId, subject, { userId: newUserId, isFirst: 'yes' }),

    connect: (upstreamId, subject, userId) => claim(upstreamId, subject, { userId }),

    userOf: async (upstreamId, subject) => (await records.get(parentOf(upstreamId, subject), ONLY))?.userId,

    async useOf(upstreamId, subject, userId) {
      const kept = await records.get(parentOf(upstreamId, subject), ONLY)
      return kept?.userId === userId ? useIn(kept) : undefined
    },

    async choose(upstreamId, subject, userId, signsIn) {
      const parent = parentOf(upstreamId, subject)
      const before = await records.get(parent, ONLY)
      if (before?.userId !== userId || useIn(before) === 'first') return false
      const onlyIf = { field: 'userId', is: userId }
      const change = signsIn ? { set: { signsIn: 'yes' } } : { clear: ['signsIn'] }
      return (await records.change(parent, ONLY, { onlyIf, ...change }))?.userId === userId
    },

    async release(upstreamId, subject, connectionId) {
      const parent = parentOf(upstreamId, subject)
      const kept = await records.get(parent, ONLY)
      if (kept && useIn(kept) !== 'first') await records.delete(parent, ONLY, { field: 'accountId', is: connectionId })
    }
  }
}

export const isIdentity = fieldsLike({ userId: Text, accountId: Text })

function useIn({ isFirst, signsIn }: Fields): IdentityUse {
  if (isFirst === 'yes') return 'first'
  return signsIn === 'yes' ? 'chosen' : 'connected'
}
