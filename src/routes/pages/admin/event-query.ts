/** Which events are wanted, as the URL of the trail says it: a user is named as in the path of their page. */
import type { FastifyRequest } from 'fastify'
import type { EventType } from '../../../core/audit/event.js'
import { readEventType } from '../../../core/audit/event-search.js'
import type { EventFilter } from '../../../core/audit/event-store.js'
import { fault } from '../../../core/fault.js'
import { pathOfUser, userOfPath } from './user-path.js'

/** The query of a filter, and of a page of what it finds. */
export function queryOf({ type, userId }: EventFilter, cursor?: string): string {
  const query = new URLSearchParams({
    ...(type !== undefined && { type }),
    ...(userId !== undefined && { user: pathOfUser(userId) }),
    ...(cursor !== undefined && { cursor })
  })
  return query.size === 0 ? '' : `?${query}`
}

/** The filter of a query. Throws `invalid_request` for one that no page of ours makes. */
export function readFilter(request: FastifyRequest): EventFilter {
  const { type, user } = request.query as { type?: unknown; user?: unknown }
  const userId = typeof user === 'string' ? userOfPath(user) : undefined
  if (user !== undefined && userId === undefined) throw fault('invalid_request', { hint: 'no such user in a path' })
  return { type: typeOf(type ?? ''), userId }
}

/** The type that was chosen. Browsers submit an empty text where none is. */
export function typeOf(sent: unknown): EventType | undefined {
  return sent === '' ? undefined : readEventType(String(sent))
}
