import { callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** GET /auth/clients: the caller's clients, newest first. */
export function listAuthorizedClients(app: App): void {
  app.route({
    ...dashboardOperations.listAuthorizedClients,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = callerOf(request)
      const clients = await app.core.authorizations.list(caller.userId)
      return { data: clients.map((client) => renderAuthorizedClient(client, caller)) }
    }
  })
}
