/** Users: found, shown with what they have granted, and what is done about them. */
import { adminOperations } from '../../../schemas/generated/admin.js'
import { renderBlock, renderClient, renderUser } from '../../admin-views.js'
import type { PersonQuery } from '../../core/directory/directory.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { type ListName, sendData } from '../paging.js'
import { found, originOf } from './caller.js'
import type { Pages } from './pages.js'

interface UserQuery {
  id?: string
  email?: string
  provider?: string
  subject?: string
}

export function users(app: App, pages: Pages): void {
  const { directory, authorizations } = app.core

  /** GET /admin/v0/users. */
  app.route({
    ...adminOperations.findUsers,
    // Each user that is found is looked up by calls that have a time limit of their own.
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { id, email, provider, subject } = request.query
      const list: ListName = ['users', JSON.stringify([id, email, provider, subject])]
      const { items, next } = await directory.find(readQuery(request.query), pages.read(list, request.query))
      return { data: items.map(renderUser), ...pages.next(list, next) }
    }
  })

  /** GET /admin/v0/users/{userId}. */
  app.route({
    ...adminOperations.getUser,
    config: { waitsForOthers: true },
    handler: async (request) => renderUser(found(await directory.show(request.params.userId)))
  })

  /** GET /admin/v0/users/{userId}/clients: their authorizations, in the order of the account page's list. */
  app.route({
    ...adminOperations.listUserClients,
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const { userId } = request.params
      const list: ListName = ['clients of a user', userId]
      const page = await authorizations.page(userId, pages.read(list, request.query))
      if (page.authorizations.length === 0) found(await directory.show(userId))
      const nowMs = app.clock()
      return sendData(
        reply,
        page.authorizations.map((one) => renderClient(one, nowMs)),
        pages.next(list, page.next)
      )
    }
  })
}

/** A provider and a subject are one identity, so that neither is there alone. */
function readQuery({ id: userId, email, provider: upstreamId, subject }: UserQuery): PersonQuery {
  if (upstreamId === undefined && subject === undefined) return { userId, email }
  if (upstreamId === undefined || subject === undefined) {
    throw fault('invalid_request', { hint: 'provider and subject go together' })
  }
  return { userId, email, identity: { upstreamId, subject } }
}

export function userChanges(app: App): void {
  const { measures } = app.core

  /** DELETE /admin/v0/users/{userId}/clients: revokes all of them, and ends the sessions of the pages. */
  app.route({
    ...adminOperations.revokeUserClients,
    // Each step has a time limit of its own, and there are as many as it takes.
    config: { waitsForOthers: true },
    handler: async (request) => {
      const { userId } = request.params
      return { user_id: userId, revoked: found(await measures.revokeAll(userId, originOf(app, request))) }
    }
  })

  /** POST /admin/v0/users/{userId}/block. */
  app.route({
    ...adminOperations.blockUser,
    config: { waitsForOthers: true },
    handler: async (request) => renderBlock(found(await measures.block(request.params.userId, originOf(app, request))))
  })

  /** POST /admin/v0/users/{userId}/unblock. */
  app.route({
    ...adminOperations.unblockUser,
    config: { waitsForOthers: true },
    handler: async (request) =>
      renderBlock(found(await measures.unblock(request.params.userId, originOf(app, request))))
  })
}
