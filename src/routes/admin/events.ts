import { adminOperations } from '../../../schemas/generated/admin.js'
import { wireFormOf } from '../../core/audit/event.js'
import { readEventType } from '../../core/audit/event-search.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import type { ListName } from '../paging.js'
import type { Pages } from './pages.js'

interface EventQuery {
  after?: string
  before?: string
  order?: 'oldest' | 'newest'
  cursor?: string
}

/** GET /admin/v0/events: the audit trail, either way. */
export function events(app: App, pages: Pages): void {
  app.route({
    ...adminOperations.listEvents,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { after, before, type, user_id: userId } = request.query
      const direction = directionOf(request.query)
      const list: ListName = ['events', direction, JSON.stringify([type, userId])]
      const { most, after: place } = pages.read(list, request.query)
      const filter = { type: type === undefined ? undefined : readEventType(type), userId }
      const from = place ?? after ?? before
      const { events, next, lastId } = await app.core.searchEvents(filter, { direction, from, most })
      const data = events.map((event) => ({ ...wireFormOf(event), id: event.id }))
      return { data, ...pages.next(list, next), ...(lastId !== undefined && { last_id: lastId }) }
    }
  })
}

/** Which way the trail is read. What contradicts itself is refused. */
function directionOf({ after, before, order, cursor }: EventQuery): 'after' | 'before' {
  const places = [after, before, cursor].filter((place) => place !== undefined)
  const isNewestFirst = before !== undefined || order === 'newest'
  const isOldestFirst = after !== undefined || order === 'oldest'
  if (places.length > 1) throw fault('invalid_request', { hint: 'Say one of after, before and cursor' })
  if (isNewestFirst && isOldestFirst) throw fault('invalid_request', { hint: 'The order is not that of the place' })
  return isNewestFirst ? 'before' : 'after'
}
