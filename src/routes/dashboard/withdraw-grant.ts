import { dashboardOperations } from '../../../schemas/generated/dashboard.js'
import { BUILT_IN_TAG } from '../../core/clients/client.js'
import type { App } from '../app.js'

/** POST /auth/grant/revoke: ends a grant for the program that started it; says the same of every other grant code. */
export function withdrawGrant(app: App): void {
  app.route({
    ...dashboardOperations.withdrawGrant,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request) => {
      // No client authenticates here, so only the grants of built-in clients can be withdrawn.
      await app.core.grants.withdraw(request.body.grant_code, BUILT_IN_TAG)
      return { status: 'revoked' as const }
    }
  })
}
