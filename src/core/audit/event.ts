/**
 * The events of the audit trail: what happened to a grant, an authorization, a user, a key. An event holds nothing secret: no code,
 * token or key, and of a grant's code the beginning of its digest alone.
 */
export const EVENT_TYPES = [
  'grant.started',
  'grant.shown',
  'grant.approved',
  'grant.denied',
  'grant.undone',
  'grant.withdrawn',
  'grant.collected',
  'refresh_token.replayed',
  'authorization.revoked',
  'authorization.renamed',
  'user.signed_in',
  'user.signed_out',
  'user.blocked',
  'user.unblocked',
  'connection.created',
  'connection.deleted',
  'signing_key.rotated',
  'api_key.created',
  'api_key.changed',
  'api_key.revoked',
  'guesses.limited',
  'rule.refused',
  'data.lost',
  'epoch.begun'
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/**
 * Who did it: `user:ID`, `client:CLIENT_ID`, `api-key:OWNER/ID`, `admin:USER_ID` (the admin page), `operator` (the command line), or
 * `service` (by itself).
 */
export type Actor =
  | 'operator'
  | 'service'
  | `user:${string}`
  | `client:${string}`
  | `api-key:${string}`
  | `admin:${string}`

/** Where something came from. */
export interface Whence {
  ip?: string | undefined
  /** "city, region, country", where a trusted edge tells it. */
  location?: string | undefined
}

/** Who did something, and from where. */
export interface Origin extends Whence {
  actor: Actor
}

/** What the service does of its own accord. */
export const BY_ITSELF: Origin = { actor: 'service' }
/** What the command line does. */
export const BY_OPERATOR: Origin = { actor: 'operator' }

/** What is told of an event; its id and time are the trail's. */
export interface Told extends Origin {
  type: EventType
  userId?: string | undefined
  clientId?: string | undefined
  authorizationId?: string | undefined
  /** The beginning of the grant's digest: `grantIdOf`. */
  grantId?: string | undefined
  /** What else there is to say, in the words of the type: who revoked, which rule, which upstream or issuer. */
  detail?: string | undefined
}

export interface AuditEvent extends Told {
  /** In the order of the trail; what comes later has the greater id. Opaque to readers. */
  id: string
  atMs: number
}

/** What is told of, and kept nowhere else: that somebody looked, or was refused. */
const PASSING: ReadonlySet<EventType> = new Set<EventType>(['grant.shown', 'guesses.limited', 'rule.refused'])

/** Whether an event must outlive a primary that is lost, as what it tells does. */
export const isLasting = ({ type }: Told): boolean => !PASSING.has(type)

/**
 * What can be repeated at will: without an account, or by one user however little they may approve in a minute. A refresh token that is
 * used again and again is told each time, but revokes once, and that is told as `authorization.revoked`.
 */
const AT_WILL: ReadonlySet<EventType> = new Set<EventType>([
  'grant.started',
  'grant.shown',
  'grant.withdrawn',
  'refresh_token.replayed',
  'authorization.renamed',
  'user.signed_in',
  'user.signed_out',
  'guesses.limited',
  'rule.refused'
])

/** Whether anybody can cause as many of such an event as they like: those push no others out of the trail. What operators do is not among them. */
export const isByAnybody = ({ type, actor }: Told): boolean =>
  AT_WILL.has(type) && actor !== 'operator' && !actor.startsWith('admin:')

const GRANT_ID_LENGTH = 16

/** What a grant is called in the trail: too little of its digest to look anything up by. */
export const grantIdOf = (grantDigest: string): string => grantDigest.slice(0, GRANT_ID_LENGTH)

export type WireEvent = ReturnType<typeof wireFormOf>

/** An event as JSON, wherever it leaves the service. What is not known is null. */
export function wireFormOf({ id, atMs, ...event }: Omit<AuditEvent, 'id'> & { id: string | undefined }) {
  return {
    id: id ?? null,
    at: new Date(atMs).toISOString(),
    type: event.type,
    user_id: event.userId ?? null,
    client_id: event.clientId ?? null,
    authorization_id: event.authorizationId ?? null,
    grant_id: event.grantId ?? null,
    actor: event.actor,
    ip: event.ip ?? null,
    location: event.location ?? null,
    detail: event.detail ?? null
  }
}
