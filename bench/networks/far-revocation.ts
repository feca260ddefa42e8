/** How long an instance accepts a token that was revoked at another one, while the network between the two is cut. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sessionOf } from '../../test/support/tokens.js'
import * as surfaces from '../faults/surfaces.js'
import type { Answered, Sent, Transport } from '../faults/transport.js'

export interface FarRevocation {
  /**
   * Revokes, by the other instance, and uses the token at this one until it is refused. Resolves to the milliseconds from the
   * acknowledgement to the first refusal; uses that could not be judged do not count.
   */
  revoke(): Promise<number>
}

const USER = 'somebody far away'
const EVERY_MS = 100
const TRIES = 400

/** Makes the token. `here` and `there` are the two instances. */
export async function prepareFarRevocation(here: Transport, there: Transport): Promise<FarRevocation> {
  const { dashboard } = surfaces
  const session = await sessionOf(USER)
  const { grantCode, userCode } = dashboard.codesIn((await insist(there, dashboard.start(USER))).body)
  await insist(there, surfaces.decide(userCode, 'approve', session))
  const tokens = dashboard.tokensIn((await insist(there, dashboard.poll(grantCode))).body)

  return {
    async revoke() {
      await insist(there, surfaces.revoke(tokens.authorization, session))
      const revokedAt = performance.now()
      await insist(here, dashboard.use(tokens.access), 401)
      return performance.now() - revokedAt
    }
  }
}

async function insist(transport: Transport, what: Sent, status = 200): Promise<Answered> {
  for (let tries = 0; tries < TRIES; tries++) {
    const answer = await transport.send(what)
    if (answer.status === status) return answer
    await sleep(EVERY_MS)
  }
  throw new Error(`${what.method} ${what.path} is not answered ${status}`)
}
