/**
 * What an epoch ends is refused here from its first moment on. This tells those who verify by themselves: every authorization that the
 * epoch has ended gets its entry in the revocation feed and its bit in the status lists, and its record says that it is revoked.
 */
import { BY_OPERATOR } from '../audit/event.js'
import { fromFields, hasEnded } from '../authorizations/authorization.js'
import type { Revoking } from '../authorizations/revoking.js'
import type { Clock } from '../clock.js'
import type { Ends } from '../epoch/ends.js'
import { isFault } from '../fault.js'
import type { RecordStore } from '../records/record-store.js'
import type { FoundKey, Keyspace } from './keyspace.js'

/** How many are revoked at a time: so much holds up nobody else. */
const AT_ONCE = 50

export interface EndingParts {
  keyspace: Keyspace
  authorizations: Pick<RecordStore, 'get'>
  revoking: Pick<Revoking, 'revoke'>
  clock: Clock
}

/**
 * Announces what an epoch has ended and nobody has revoked yet, and resolves to how many that were. May be repeated after an
 * interruption: what is revoked is left alone. `failed` counts those whose record could not be read or changed.
 */
export type AnnounceEnded = (ends: Ends) => Promise<{ announced: number; failed: number }>

export function createEnding({ keyspace, authorizations, revoking, clock }: EndingParts): AnnounceEnded {
  return async ({ beforeMs }) => {
    const counts = { announced: 0, failed: 0 }

    async function end({ record }: FoundKey): Promise<void> {
      if (!record) return
      try {
        const fields = await authorizations.get(record.parent, record.id)
        const authorization = fields && fromFields(record.parent, record.id, fields)
        if (!authorization || authorization.createdAtMs >= beforeMs || hasEnded(authorization, clock())) return
        await revoking.revoke(record.parent, record.id, 'operator', BY_OPERATOR)
        counts.announced += 1
      } catch (error) {
        // One that cannot be read keeps nobody from announcing the others. The caller is told that there were some.
        if (!isFault(error)) throw error
        counts.failed += 1
      }
    }

    await keyspace.walk(['authorized-client'], async (found) => {
      for (let i = 0; i < found.length; i += AT_ONCE) await Promise.all(found.slice(i, i + AT_ONCE).map(end))
    })
    return counts
  }
}
