import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/** OPTIONS /sdk/{environmentId}/oauthAccounts/{oauthAccountId}/accessToken: says which methods there are. */
export function getEndUserOauthAccessTokenOptions(app: App): void {
  app.route({
    ...dashboardOperations.getEndUserOauthAccessTokenOptions,
    handler: async (request, reply) => {
      if (request.params.environmentId !== app.config.environmentId) throw fault('not_found')
      return reply.code(204).header('allow', 'GET, HEAD, OPTIONS').send(null)
    }
  })
}
