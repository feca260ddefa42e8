import { createCursors, type ListName } from '../../paging.js'
import { cursorIn, type PageParts, sendPage } from '../page.js'
import { AdminPending } from '../views/admin/pending.js'
import { visitOf } from '../visit.js'

const PAGE = 50
const LIST: ListName = ['pending grants for admins']

/** GET /admin/grants: what waits for its decision, by client and one by one, without a code. */
export function showPending({ app }: PageParts): void {
  const { pendingList } = app.core
  const cursors = createCursors(app.core)

  app.route({
    method: 'GET',
    url: '/admin/grants',
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const cursor = cursorIn(request)
      const after = cursor === undefined ? undefined : cursors.read(LIST, cursor)
      const [clients, { items, next: position }] = await Promise.all([
        pendingList.byClient(),
        pendingList.page({ after, most: PAGE })
      ])
      const next = position === undefined ? undefined : cursors.write(LIST, position)
      return sendPage(reply, AdminPending, { visit: visitOf(request), clients, waiting: items, cursor, next })
    }
  })
}
