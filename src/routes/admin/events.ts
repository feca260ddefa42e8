import { adminOperations } from '../../../schemas/generated/admin.js'
import { wireFormOf } from '../../core/audit/event.js'
import { readEventType } from '../../core/audit/event-search.js'
import { fault } from '../../core/fault.js'
import type { Position } from '../../core/records/record-store.js'
import type { App } from '../app.js'
import type { ListName } from '../paging.js'
import type { Pages } from './pages.js'

interface EventQuery {
  after?: string
  before?: string
  order?: 'oldest' | 'newest'
  cursor?: string
}

/** Where the trail is read from, and which way. */
interface Place {
  direction: 'after' | 'before'
  from: string | undefined
}

/** GET /admin/v0/events: the audit trail, either way. */
export function events(app: App, pages: Pages): void {
  app.route({
    ...adminOperations.listEvents,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { type, user_id: userId } = request.query
      const named = placeOf(request.query)
      const list: ListName = ['events', JSON.stringify([type, userId])]
      const { most, after: position } = pages.read(list, request.query)
      const { direction, from } = position === undefined ? named : placeAt(position, request.query)
      const filter = { type: type === undefined ? undefined : readEventType(type), userId }
      const { events, next, lastId } = await app.core.searchEvents(filter, { direction, from, most })
      const data = events.map((event) => ({ ...wireFormOf(event), id: event.id }))
      // A cursor goes on in its own direction, so that it needs none beside it.
      const further = pages.next(list, next === undefined ? undefined : `${direction} ${next}`)
      return { data, ...further, ...(lastId !== undefined && { last_id: lastId }) }
    }
  })
}

/** The place that the request names without a cursor. What contradicts itself is refused. */
function placeOf({ after, before, order, cursor }: EventQuery): Place {
  const places = [after, before, cursor].filter((place) => place !== undefined)
  if (places.length > 1) throw fault('invalid_request', { hint: 'Say one of after, before and cursor' })
  const isNewestFirst = before !== undefined || order === 'newest'
  if (isNewestFirst && (after !== undefined || order === 'oldest')) throw otherOrder()
  return { direction: isNewestFirst ? 'before' : 'after', from: after ?? before }
}

/** The place of a cursor. An order may be said as well, if it is that of the cursor. */
function placeAt(position: Position, { order }: EventQuery): Place {
  const [direction, from] = position.split(' ') as [Place['direction'], string]
  if (order !== undefined && (order === 'newest') !== (direction === 'before')) throw otherOrder()
  return { direction, from }
}

const otherOrder = () => fault('invalid_request', { hint: 'The order is not that of the place' })
