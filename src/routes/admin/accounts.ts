/** The connected accounts of users, so that a back end learns the ids by which it asks for their tokens. */
import { adminOperations } from '../../../schemas/generated/admin.js'
import { renderAccount } from '../../admin-views.js'
import type { App } from '../app.js'
import type { ListName, PageQuery } from '../paging.js'
import { found } from './caller.js'
import type { Pages } from './pages.js'

export function accounts(app: App, pages: Pages): void {
  const { connections, directory } = app.core

  async function page(userId: string, query: PageQuery & { provider?: string }) {
    const list: ListName = ['accounts of a user', userId, JSON.stringify([query.provider])]
    const { items, next } = await connections.page(userId, pages.read(list, query))
    const wanted = items.filter(({ upstreamId }) => query.provider === undefined || upstreamId === query.provider)
    return { data: wanted.map(renderAccount), ...pages.next(list, next) }
  }

  /** GET /admin/v0/users/{userId}/accounts. */
  app.route({
    ...adminOperations.listUserAccounts,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { userId } = request.params
      const answer = await page(userId, request.query)
      if (answer.data.length === 0) found(await directory.show(userId))
      return answer
    }
  })

  /** GET /admin/v0/oauthAccounts: the same, where nobody has to be there. */
  app.route({
    ...adminOperations.findOauthAccounts,
    config: { waitsForOthers: true },
    handler: async (request) => page(request.query.user_id, request.query)
  })
}
