/** A delivery: one event on its way to one endpoint, what orders it, and when it is tried again. */
import { Type } from '@sinclair/typebox'
import type { AuditEvent } from '../audit/event.js'
import { jsonOf, type ShapeOf } from '../records/readable.js'

/**
 * What became of an attempt: `refused` is an answer of another status, `redirected` one that leads elsewhere (nobody follows), `gone`
 * is 410, and `forbidden` an address that may not be asked.
 */
export const OUTCOMES = [
  ...(['delivered', 'refused', 'redirected', 'gone'] as const),
  ...(['timed_out', 'unreachable', 'forbidden'] as const)
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** An attempt that was made. */
export interface Attempted {
  outcome: Outcome
  /** Of `unreachable`, what Node.js calls the error of the network: `ENOTFOUND`, `CERT_HAS_EXPIRED`. */
  code?: string | undefined
}

export interface Delivery {
  /** `webhook-id`: the same in every attempt. */
  id: string
  event: AuditEvent
  /** When it was first taken up, or sent again by an operator. */
  takenAtMs: number
  /** Its place among those that wait. */
  order: number
  attempts: number
  nextAtMs: number
  lastOutcome?: Outcome | undefined
}

export interface FailedDelivery extends Delivery {
  failedAtMs: number
}

/** The id of a delivery leads back to its endpoint: ids of events have no underscore. */
export const deliveryIdOf = (eventId: string, endpointId: string): string => `${eventId}_${endpointId}`
export const endpointOfDelivery = (deliveryId: string): string => deliveryId.slice(deliveryId.indexOf('_') + 1)

/**
 * What an event is in order with: all of its authorization and all of its grant; where it has neither, all of its user, and where it
 * has none, all of its kind. Of two events that share one of these the later one is not sent before the earlier one is through.
 */
export function orderKeysOf({ authorizationId, grantId, userId, type }: AuditEvent): string[] {
  const keys: string[] = []
  if (authorizationId !== undefined) keys.push(`authorization:${authorizationId}`)
  if (grantId !== undefined) keys.push(`grant:${grantId}`)
  if (keys.length === 0) keys.push(userId === undefined ? `kind:${type.split('.', 1)[0]}` : `user:${userId}`)
  return keys
}

/** How long one attempt may take. */
export const ATTEMPT_MS = 15_000
/** A delivery that fails for so long is given up. */
export const GIVE_UP_AFTER_MS = 3 * 86_400_000
const FIRST_REST_MS = 5_000
const LONGEST_REST_MS = 3_600_000
/** So that what failed together is not tried again together. */
const JITTER = 0.2

/** How long to wait after a failure: 5 seconds, twice as long each time, an hour at most, a fifth more or less. */
export function restAfter(attempts: number, random = Math.random()): number {
  const rest = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(attempts - 1, 20))
  return Math.round(rest * (1 - JITTER + 2 * JITTER * random))
}

const OptionalText = Type.Optional(Type.String())
const EventShape = Type.Object({
  ...{ id: Type.String(), atMs: Type.Number(), type: Type.String(), actor: Type.String() },
  ...{ userId: OptionalText, clientId: OptionalText, authorizationId: OptionalText, grantId: OptionalText },
  ...{ ip: OptionalText, location: OptionalText, detail: OptionalText }
})
const PARTS = {
  ...{ id: Type.String(), event: EventShape, takenAtMs: Type.Number(), order: Type.Number() },
  ...{ attempts: Type.Number(), nextAtMs: Type.Number(), lastOutcome: OptionalText }
}

/** Read what a storage keeps; undefined for what is none. */
export const readDelivery = jsonOf(Type.Object(PARTS) as unknown as ShapeOf<Delivery>)
export const readFailedDelivery = jsonOf(
  Type.Object({ ...PARTS, failedAtMs: Type.Number() }) as unknown as ShapeOf<FailedDelivery>
)
