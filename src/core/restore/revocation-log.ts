/**
 * What the lines of an audit log (AUDIT_LOG=stdout) say was taken away since a moment: read back after a restore, which has brought it
 * back. Other lines, such as those of the service's own log on the same stream, are passed over.
 */
import { Type } from '@sinclair/typebox'
import { readKeyDetail } from '../api-keys/api-key-detail.js'
import { readConnectionDetail } from '../connections/connection-detail.js'
import { readEpochDetail } from '../epoch/ends.js'
import { jsonOf } from '../records/readable.js'
import { readRotationDetail } from '../tokens/rotation-detail.js'
import type { TakenAway } from './taken-away.js'

const optional = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const lineOf = jsonOf(
  Type.Object({
    at: Type.String(),
    type: Type.String(),
    ...{ user_id: optional, authorization_id: optional, detail: optional }
  })
)
type Line = NonNullable<ReturnType<typeof lineOf>>

/** The lines since a moment. A line whose type takes something away, and which does not say what, is an Error for the operator. */
export async function readRevocationLog(lines: AsyncIterable<string>, sinceMs: number): Promise<TakenAway> {
  const taken: TakenAway = {
    authorizations: new Map(),
    users: new Map(),
    apiKeys: new Map(),
    connections: new Map(),
    apiKeyRights: new Map(),
    keyRotatedAtMs: undefined,
    ends: { beforeMs: 0, apiKeysBeforeMs: 0 },
    firstAtMs: undefined
  }
  let number = 0
  for await (const text of lines) {
    number += 1
    const line = lineOf(text)
    const atMs = line && Date.parse(line.at)
    if (!line || atMs === undefined || Number.isNaN(atMs)) continue
    taken.firstAtMs = Math.min(atMs, taken.firstAtMs ?? atMs)
    if (atMs >= sinceMs && !take(taken, line, atMs)) {
      throw new Error(`line ${number} says ${line.type}, and not of what`)
    }
  }
  return taken
}

/** Notes what a line takes away. Whether it says of what. */
function take(taken: TakenAway, { type, user_id, authorization_id, detail }: Line, atMs: number): boolean {
  const userId = user_id ?? ''
  switch (type) {
    case 'authorization.revoked':
    case 'refresh_token.replayed':
      if (authorization_id) taken.authorizations.set(authorization_id, { userId, atMs })
      return userId !== '' && Boolean(authorization_id)
    case 'user.blocked':
    case 'user.unblocked':
      taken.users.set(userId, type === 'user.blocked' ? 'blocked' : 'unblocked')
      return userId !== ''
    case 'api_key.revoked': {
      const key = readKeyDetail(detail ?? '')
      if (key) taken.apiKeys.set(key.id, { owner: key.owner })
      return key !== undefined
    }
    case 'api_key.changed': {
      const key = readKeyDetail(detail ?? '')
      if (key) taken.apiKeyRights.set(key.id, { owner: key.owner, rights: key.rights })
      return key !== undefined
    }
    case 'connection.deleted': {
      const id = readConnectionDetail(detail ?? '')
      if (id !== undefined) taken.connections.set(id, { userId })
      return id !== undefined && userId !== ''
    }
    case 'signing_key.rotated': {
      const rotation = readRotationDetail(detail ?? '')
      const isOwn = rotation && rotation.issuerId === undefined
      if (isOwn) taken.keyRotatedAtMs = Math.max(atMs, taken.keyRotatedAtMs ?? 0)
      return rotation !== undefined
    }
    case 'epoch.begun': {
      const epoch = readEpochDetail(detail ?? '')
      if (!epoch) return false
      const { beforeMs, apiKeysBeforeMs } = taken.ends
      taken.ends.beforeMs = Math.max(beforeMs, epoch.beforeMs)
      if (epoch.apiKeys) taken.ends.apiKeysBeforeMs = Math.max(apiKeysBeforeMs, epoch.beforeMs)
      return true
    }
    default:
      return true
  }
}
