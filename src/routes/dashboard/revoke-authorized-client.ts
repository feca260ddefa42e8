import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** DELETE /auth/clients/{authorizedClientId}: revokes an authorization of the caller's, from the next request on. */
export function revokeAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.revokeAuthorizedClient,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = request.authenticatedCaller()
      const { authorizedClientId: id } = request.params
      const authorization = await app.core.authorizations.revoke(caller.userId, id)
      if (!authorization) throw fault('not_found')
      return renderAuthorizedClient(authorization, caller)
    }
  })
}
