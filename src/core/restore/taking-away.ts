/** Takes away again what an audit log says was taken away since a backup. Nothing is done twice: what is so already is left alone. */
import type { ApiKeys } from '../api-keys/api-keys.js'
import { BY_OPERATOR } from '../audit/event.js'
import { LONGEST_LIFE_MS } from '../authorizations/authorization.js'
import type { Authorizations } from '../authorizations/authorizations.js'
import type { RevocationStore } from '../authorizations/revocation-store.js'
import type { Revoking } from '../authorizations/revoking.js'
import type { Connections } from '../connections/connections.js'
import type { Epoch } from '../epoch/epoch.js'
import type { SigningKeyStore } from '../tokens/signing-key.js'
import type { SigningKeys } from '../tokens/signing-keys.js'
import type { Users } from '../users/user.js'
import type { AnnounceEnded } from './ending.js'
import type { TakenAway } from './taken-away.js'

/** A key is made before its rotation is told. */
const TOLD_WITHIN_MS = 60_000

export interface TakenAwayCounts {
  authorizations: number
  users: number
  apiKeys: number
  apiKeyRights: number
  connections: number
  signingKeyRotations: number
  epochs: number
}

export interface TakingAwayParts {
  authorizations: Pick<Authorizations, 'get'>
  revoking: Pick<Revoking, 'revoke'>
  revocations: Pick<RevocationStore, 'announce' | 'finish'>
  users: Pick<Users, 'isBlocked' | 'block' | 'unblock'>
  apiKeys: Pick<ApiKeys, 'list' | 'revoke' | 'setRights'>
  connections: Pick<Connections, 'list' | 'disconnect'>
  signingKeys: Pick<SigningKeys, 'rotate'>
  signingKeyStore: Pick<SigningKeyStore, 'list'>
  epoch: Epoch
  announceEnded: AnnounceEnded
}

/** Counts what is not as the log says, and makes it so if `isToDo`. */
export type TakeAway = (taken: TakenAway, isToDo: boolean) => Promise<TakenAwayCounts>

export function createTakingAway(parts: TakingAwayParts): TakeAway {
  const { authorizations, revoking, revocations, users, apiKeys, connections, epoch, announceEnded } = parts

  /** Of an authorization that was made since the backup there is no record: verifiers that ask nobody have to hear of it all the same. */
  async function announceLost(authorizationId: string, userId: string, atMs: number): Promise<void> {
    const lost = { authorizationId, userId, revokedAtMs: atMs, untilMs: atMs + LONGEST_LIFE_MS }
    await revocations.announce([lost])
    await revocations.finish([lost])
  }

  /** Whether epochs of the log do not stand. Begins them, and announces what they have ended: again, if an earlier run was cut off there. */
  async function takeEpochs({ beforeMs, apiKeysBeforeMs }: TakenAway['ends'], isToDo: boolean): Promise<boolean> {
    if (beforeMs === 0) return false
    const standing = await epoch.ends()
    const lacksKeys = apiKeysBeforeMs > standing.apiKeysBeforeMs
    const isLacking = lacksKeys || beforeMs > standing.beforeMs
    if (!isToDo) return isLacking
    if (lacksKeys) await epoch.begin(apiKeysBeforeMs, { apiKeys: true }, BY_OPERATOR)
    if (isLacking) await epoch.begin(beforeMs, { apiKeys: false }, BY_OPERATOR)
    const { failed } = await announceEnded(await epoch.ends())
    if (failed > 0) {
      throw new Error(`${failed} authorized clients that an epoch has ended could not be announced: run it again`)
    }
    return isLacking
  }

  return async (taken, isToDo) => {
    const counts = {
      ...{ authorizations: 0, users: 0, apiKeys: 0, apiKeyRights: 0, connections: 0 },
      ...{ signingKeyRotations: 0, epochs: 0 }
    }
    if (await takeEpochs(taken.ends, isToDo)) counts.epochs += 1
    for (const [id, { userId, atMs }] of taken.authorizations) {
      const kept = await authorizations.get(userId, id)
      if (kept && kept.revokedAtMs === undefined) counts.authorizations += 1
      if (!isToDo) continue
      if (kept) await revoking.revoke(userId, id, 'operator', BY_OPERATOR)
      else await announceLost(id, userId, atMs)
    }
    for (const [userId, standing] of taken.users) {
      const isBlocked = await users.isBlocked(userId)
      if (isBlocked === (standing === 'blocked')) continue
      counts.users += 1
      if (isToDo) await (isBlocked ? users.unblock(userId, BY_OPERATOR) : users.block(userId, BY_OPERATOR))
    }
    for (const [id, { owner }] of taken.apiKeys) {
      const key = (await apiKeys.list(owner)).find((one) => one.id === id)
      if (!key || key.revokedAtMs !== undefined) continue
      counts.apiKeys += 1
      if (isToDo) await apiKeys.revoke(owner, id, BY_OPERATOR)
    }
    for (const [id, { owner, rights }] of taken.apiKeyRights) {
      const key = (await apiKeys.list(owner)).find((one) => one.id === id)
      if (!key || key.revokedAtMs !== undefined || key.rights.every((right) => rights.includes(right))) continue
      counts.apiKeyRights += 1
      // What was given since is given by whoever gives it again.
      const left = key.rights.filter((right) => rights.includes(right))
      if (isToDo) await apiKeys.setRights(owner, id, left, BY_OPERATOR)
    }
    for (const [id, { userId }] of taken.connections) {
      const isThere = (await connections.list(userId)).some((one) => one.id === id)
      if (!isThere) continue
      counts.connections += 1
      if (isToDo) await connections.disconnect(userId, id, BY_OPERATOR)
    }
    if (taken.keyRotatedAtMs !== undefined) {
      const stored = await parts.signingKeyStore.list()
      const newestAtMs = Math.max(0, ...stored.map(({ createdAtMs }) => createdAtMs))
      if (newestAtMs < taken.keyRotatedAtMs - TOLD_WITHIN_MS) {
        counts.signingKeyRotations += 1
        if (isToDo) await parts.signingKeys.rotate('now', BY_OPERATOR)
      }
    }
    return counts
  }
}
