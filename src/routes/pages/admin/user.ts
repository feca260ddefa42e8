/** GET /admin/users/{user}: who somebody is here, what they have granted, their connections, and what happened last. */
import { newestFirst } from '../../../core/authorizations/authorizations.js'
import { fault } from '../../../core/fault.js'
import { createCursors, type ListName } from '../../paging.js'
import { cursorIn, isFollowedHere, type PageParts, readDone, sendPage } from '../page.js'
import { adminTexts } from '../texts/admin.js'
import { AdminUser } from '../views/admin/user.js'
import { userIdOf, visitOf } from '../visit.js'
import { UserPath, userAskedFor } from './user-path.js'

/** How many authorizations are on a page, and how many of the last events. */
const PAGE = 50
const LAST_EVENTS = 20

export function showUser({ app }: PageParts): void {
  const { directory, authorizations, connections, searchEvents } = app.core
  const cursors = createCursors(app.core)

  app.route({
    method: 'GET',
    url: '/admin/users/:user',
    schema: { params: UserPath },
    // It is put together by calls that have a time limit of their own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const userId = userAskedFor(request)
      const list: ListName = ['authorizations for admins', userId]
      const cursor = cursorIn(request)
      const after = cursor === undefined ? undefined : cursors.read(list, cursor)
      const [person, page, connected, { events }] = await Promise.all([
        directory.show(userId),
        authorizations.page(userId, { most: PAGE, after }),
        connections.list(userId),
        searchEvents({ userId }, { direction: 'before', from: undefined, most: LAST_EVENTS })
      ])
      if (!person) throw fault('not_found')
      return sendPage(reply, AdminUser, {
        ...{ visit: visitOf(request), person, connections: connected, events, cursor },
        upstreams: app.core.signIn.upstreams,
        authorizations: page.authorizations.sort(newestFirst),
        next: page.next === undefined ? undefined : cursors.write(list, page.next),
        isSelf: userId === userIdOf(request),
        // No link from elsewhere can claim that something was done.
        done: isFollowedHere(request) ? readDone(request, adminTexts.done) : undefined
      })
    }
  })
}
