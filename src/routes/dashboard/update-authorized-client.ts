import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** PATCH /auth/clients/{authorizedClientId}: gives an authorization of the caller's another label, or none. */
export function updateAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.updateAuthorizedClient,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = request.authenticatedCaller()
      const { authorizedClientId: id } = request.params
      const label = request.body.label ?? undefined
      const authorization = await app.core.authorizations.rename(caller.userId, id, label)
      if (!authorization) throw fault('not_found')
      return renderAuthorizedClient(authorization, caller)
    }
  })
}
