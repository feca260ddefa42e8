/** Fills the audit trail with what grants tell, in the order and the calls in which the service tells it. */
import { randomUUID } from 'node:crypto'
import type { EventStore } from '../../src/core/audit/event-store.js'
import type { Authorization } from '../../src/core/authorizations/authorization.js'
import { collectionTold, decisionTold, questionOf, shownTold, startTold } from '../../src/core/grants/grant-events.js'
import { digestOf } from '../../src/core/secrets/digest.js'
import { manyTimes } from '../support/callers.js'
import { REQUEST } from './fill.js'

const GRANTS_AT_ONCE = 32
export const EVENTS_OF_A_GRANT = 4
/** Of so many grants there is one event of a type that is rare. */
const RARE_ONCE_IN = 1_000

const from = { ip: REQUEST.ip, location: REQUEST.location?.text }

/** Tells of so many grants, of one authorization after the other, and now and then of a user who is blocked. */
export async function fillTrail(
  events: EventStore,
  authorizations: readonly Authorization[],
  grants: number
): Promise<void> {
  let next = 0
  await manyTimes(grants, GRANTS_AT_ONCE, async () => {
    const number = next++
    const authorization = authorizations[number % authorizations.length] as Authorization
    const { userId, id: authorizationId } = authorization
    const grant = { grantDigest: digestOf(randomUUID()), request: REQUEST }
    const by = { actor: `user:${userId}`, ip: '198.51.100.23', location: from.location } as const
    const question = questionOf(grant)
    await events.add([startTold(grant)], Date.now())
    await events.add([shownTold(question, userId, by)], Date.now())
    await events.add([decisionTold(grant, 'approve', { ...by, userId }, { authorizationId })], Date.now())
    await events.add([collectionTold(grant, authorization, from)], Date.now())
    if (number % RARE_ONCE_IN === 0) await events.add([{ type: 'user.blocked', actor: 'operator', userId }], Date.now())
  })
}
