/** The codes among the grants in Redis: looked at and redeemed by one script, which judges. */
import type { ApprovedGrant, GrantStore, StoredCode } from '../../core/grants/grant-store.js'
import type { RedisConnection } from './connection.js'
import type { Keys } from './keys.js'
import { nextRunId } from './poll-batches.js'

export interface CodeStoreParts {
  connection: Pick<RedisConnection, 'run' | 'runDurably'>
  keys: Pick<Keys, 'grant'>
  /** Throws `unavailable` if the record cannot be read. */
  readApproval(record: string): ApprovedGrant
  /** The last argument of the script, in tests. */
  now(): readonly number[]
}

export function createRedisCodeStore(parts: CodeStoreParts): Pick<GrantStore, 'lookAtCode' | 'redeem'> {
  const { connection, keys, readApproval, now } = parts

  return {
    async lookAtCode(grantDigest, clientTag) {
      const verdict = await connection.run('grant-redeem', keys.grant(grantDigest), clientTag, '', ...now())
      if (typeof verdict === 'string') return { kind: verdict } as StoredCode
      const [kind, record] = verdict as ['open' | 'spent', string]
      return { kind, ...readApproval(record) }
    },

    async redeem(grantDigest, clientTag) {
      const args = [clientTag, nextRunId(), ...now()]
      const verdict = await connection.runDurably('grant-redeem', keys.grant(grantDigest), ...args)
      return typeof verdict === 'string' ? (verdict as 'collected' | 'unknown') : 'spent'
    }
  }
}
