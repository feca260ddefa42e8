/** Authorizations over all users, which are authorized clients on the wire. Those of one user are in users.ts. */
import { adminOperations } from '../../../schemas/generated/admin.js'
import { renderClient, renderRevoked } from '../../admin-views.js'
import type { App } from '../app.js'
import { type ListName, sendData } from '../paging.js'
import { found, originOf } from './caller.js'
import type { Pages } from './pages.js'

export function authorizations(app: App, pages: Pages): void {
  const { allAuthorizations } = app.core

  /** GET /admin/v0/clients. */
  app.route({
    ...adminOperations.searchClients,
    // Each step of the search has a time limit of its own.
    config: { waitsForOthers: true },
    handler: async (request, reply) => {
      const { client_type: clientType, client_id: clientId, revoked } = request.query
      const list: ListName = ['clients of all', JSON.stringify([clientType, clientId, revoked])]
      const filter = { clientType, clientId, isRevoked: revoked === undefined ? undefined : revoked === 'true' }
      const { items, next } = await allAuthorizations.search(filter, pages.read(list, request.query))
      const nowMs = app.clock()
      return sendData(
        reply,
        items.map((one) => renderClient(one, nowMs)),
        pages.next(list, next)
      )
    }
  })

  /** GET /admin/v0/clients/{authorizedClientId}. */
  app.route({
    ...adminOperations.getAuthorizedClient,
    handler: async (request) => {
      const authorization = found(await allAuthorizations.findById(request.params.authorizedClientId))
      return renderClient(authorization, app.clock())
    }
  })
}

export function authorizationChanges(app: App): void {
  /** DELETE /admin/v0/clients/{authorizedClientId}. */
  app.route({
    ...adminOperations.revokeClient,
    config: { waitsForOthers: true },
    handler: async (request) => {
      const revoked = await app.core.measures.revoke(request.params.authorizedClientId, originOf(app, request))
      return renderRevoked(found(revoked))
    }
  })
}
