/** What an operator has ended by an epoch is revoked, though nothing was written to its record. Every reading goes through this. */
import type { Ends } from '../epoch/ends.js'
import type { Authorization } from './authorization.js'

/** The authorization as an epoch leaves it: one that was approved before that is revoked, whatever its record says. */
export function withinEpoch(authorization: Authorization, { beforeMs, beganAtMs }: Ends): Authorization {
  const isEnded = authorization.createdAtMs < beforeMs && authorization.revokedAtMs === undefined
  return isEnded ? { ...authorization, revokedAtMs: beganAtMs } : authorization
}
