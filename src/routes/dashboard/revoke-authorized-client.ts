import { callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** DELETE /auth/clients/{authorizedClientId}: ends a client of the caller's, from the next request on. */
export function revokeAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.revokeAuthorizedClient,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = callerOf(request)
      const client = await app.core.authorizations.revoke(caller.userId, request.params.authorizedClientId)
      if (!client) throw fault('not_found')
      app.metrics.countRevocation('owner')
      return renderAuthorizedClient(client, caller)
    }
  })
}
