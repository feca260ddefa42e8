import { adminOperations } from '../../../schemas/generated/admin.js'
import { renderPending, renderPendingOf } from '../../admin-views.js'
import type { App } from '../app.js'
import type { ListName } from '../paging.js'
import type { Pages } from './pages.js'

const LIST: ListName = ['pending grants']

/** GET /admin/v0/grants/pending: what waits for its decision, by client and one by one, without a code. */
export function pendingGrants(app: App, pages: Pages): void {
  const { pendingList } = app.core

  app.route({
    ...adminOperations.listPendingGrants,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const [clients, { items, next }] = await Promise.all([
        pendingList.byClient(),
        pendingList.page(pages.read(LIST, request.query))
      ])
      return { clients: clients.map(renderPendingOf), data: items.map(renderPending), ...pages.next(LIST, next) }
    }
  })
}
