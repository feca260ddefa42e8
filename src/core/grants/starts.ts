/** The start of a grant: its two codes, of which the user code is one that no other live grant has, and its place among those that wait. */
import type { AuditTrail } from '../audit/audit-trail.js'
import { tagOf } from '../clients/client.js'
import { fault } from '../fault.js'
import { digestOf } from '../secrets/digest.js'
import type { Keyring } from '../secrets/keyring.js'
import { formatUserCode, newGrantCode, newUserCode } from './codes.js'
import type { GrantRequest } from './grant.js'
import { startTold } from './grant-events.js'
import type { GrantStore } from './grant-store.js'
import type { PendingGrants } from './pending-grants.js'

/** Caps the retries after a collision of user codes. Among a million live grants, one new code in 25,600 collides. */
const USER_CODE_TRIES = 10

export interface StartedGrant {
  grantCode: string
  /** In the form XXXX-XXXX. */
  userCode: string
  expiresInSeconds: number
  intervalSeconds: number
}

export interface StartParts {
  store: GrantStore
  keyring: Keyring
  pending: PendingGrants
  audit: Pick<AuditTrail, 'tell'>
  events: { started(): void }
  grantTtlSeconds: number
  pollIntervalSeconds: number
}

export function createStart(parts: StartParts): (request: GrantRequest) => Promise<StartedGrant> {
  const { store, keyring, pending, audit, events } = parts
  const { grantTtlSeconds: expiresInSeconds, pollIntervalSeconds: intervalSeconds } = parts

  return async (request) => {
    const grantCode = newGrantCode()
    const grant = {
      request,
      clientTag: tagOf(request.clientId),
      lifeMs: expiresInSeconds * 1000,
      intervalMs: intervalSeconds * 1000
    }
    const grantDigest = digestOf(grantCode)
    // It leaves with the grant, so that it costs a command and no time.
    const tell = () => audit.tell(startTold({ grantDigest, request }))
    await pending.enter({ grantDigest, ...request }, grant.lifeMs)
    for (let attempt = 0; attempt < USER_CODE_TRIES; attempt++) {
      const userCode = newUserCode()
      const [tag = ''] = keyring.tags('user-code', userCode)
      if ((await store.create(grantDigest, tag, grant, tell)) === 'user_code_taken') continue
      events.started()
      return { grantCode, userCode: formatUserCode(userCode), expiresInSeconds, intervalSeconds }
    }
    await pending.leave({ grantDigest, ...request })
    throw fault('unavailable', { detail: `${USER_CODE_TRIES} user codes in a row were taken` })
  }
}
