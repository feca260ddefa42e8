import { callerOf } from '../../../plugins/authentication.js'
import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { renderAuthorizedClient } from './render-authorized-client.js'

/** PATCH /auth/clients/{authorizedClientId}: gives a client of the caller's another label, or none. */
export function updateAuthorizedClient(app: App): void {
  app.route({
    ...dashboardOperations.updateAuthorizedClient,
    onRequest: app.authenticate('user-or-client'),
    handler: async (request) => {
      const caller = callerOf(request)
      const label = request.body.label ?? undefined
      const client = await app.core.authorizations.rename(caller.userId, request.params.authorizedClientId, label)
      if (!client) throw fault('not_found')
      return renderAuthorizedClient(client, caller)
    }
  })
}
