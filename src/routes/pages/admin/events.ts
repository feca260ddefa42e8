/** The audit trail, newest first. A filter is part of the URL, where a user is named as in the path of their page. */
import { Type } from '@sinclair/typebox'
import { fault } from '../../../core/fault.js'
import { isUserId } from '../../../core/users/user.js'
import { createCursors, type ListName } from '../../paging.js'
import { cursorIn, formOf, type PageParts, seeOther, sendPage } from '../page.js'
import { AdminEvents } from '../views/admin/events.js'
import { visitOf } from '../visit.js'
import { queryOf, readFilter, typeOf } from './event-query.js'

const PAGE = 50

const Filter = formOf({ type: Type.String({ maxLength: 64 }), user: Type.String({ maxLength: 255 }) })

/** GET /admin/events. */
export function showEvents({ app }: PageParts): void {
  const cursors = createCursors(app.core)

  app.route({
    method: 'GET',
    url: '/admin/events',
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const filter = readFilter(request)
      const list: ListName = ['events for admins', JSON.stringify([filter.type, filter.userId])]
      const cursor = cursorIn(request)
      const from = cursor === undefined ? undefined : cursors.read(list, cursor)
      const found = await app.core.searchEvents(filter, { direction: 'before', from, most: PAGE })
      const next = found.next === undefined ? undefined : cursors.write(list, found.next)
      return sendPage(reply, AdminEvents, { visit: visitOf(request), events: found.events, filter, cursor, next })
    }
  })
}

/** POST /admin/events: the filter, from the form to the URL. */
export function filterEvents({ app, visits }: PageParts): void {
  app.route({
    method: 'POST',
    url: '/admin/events',
    schema: { body: Filter },
    preValidation: visits.requireOwnForm,
    handler: async (request, reply) => {
      const { type, user } = request.body
      if (user !== '' && !isUserId(user)) throw fault('invalid_request')
      return seeOther(
        reply,
        visitOf(request),
        `/admin/events${queryOf({ type: typeOf(type), userId: user || undefined })}`
      )
    }
  })
}
