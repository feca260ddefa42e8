import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** GET /auth/clients: the caller's authorizations, newest first. */
export function listAuthorizedClients(app: App): void {
  app.route({
    ...dashboardOperations.listAuthorizedClients,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = request.authenticatedCaller()
      const authorizations = await app.core.authorizations.list(caller.userId)
      return { data: authorizations.map((authorization) => renderAuthorizedClient(authorization, caller)) }
    }
  })
}
