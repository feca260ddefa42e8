/** What a program does with a grant beside polling: starts it, and withdraws it. */
import { dashboardOperations, type SentClientMetadata } from '../../../schemas/generated/dashboard.js'
import { BUILT_IN_TAG } from '../../core/clients/client.js'
import { fault } from '../../core/fault.js'
import type { ClientMetadata } from '../../core/grants/grant.js'
import type { App } from '../app.js'
import { beginGrant, readAsked } from '../grant-start.js'

/** POST /auth/grant/code: starts a grant for whoever asks, as the built-in client of the type that was named. */
export function startGrant(app: App): void {
  app.route({
    ...dashboardOperations.startGrant,
    onRequest: app.limits.perAddress('start'),
    handler: async (request) => {
      const { client_type: clientType, client_metadata: sent } = request.body
      const client = app.core.clients.find(clientType)
      if (!client) throw fault('internal', { detail: 'a type without its built-in client' })
      const asked = { clientId: client.id, clientType, ...readAsked(client, request.body) }
      const { grantCode, answer } = await beginGrant(app, request, { ...asked, metadata: pickMetadata(sent ?? {}) })
      return { grant_code: grantCode, ...answer }
    }
  })
}

/** Programs that say nothing may say so with null. Other keys are accepted and dropped. */
function pickMetadata({ name, version, hostname, os }: NonNullable<SentClientMetadata>): ClientMetadata {
  return {
    ...(name != null && { name }),
    ...(version != null && { version }),
    ...(hostname != null && { hostname }),
    ...(os != null && { os })
  }
}

/** POST /auth/grant/revoke: ends a grant for the program that started it; says the same of every other grant code. */
export function withdrawGrant(app: App): void {
  app.route({
    ...dashboardOperations.withdrawGrant,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request) => {
      // No client authenticates here, so only the grants of built-in clients can be withdrawn.
      await app.core.grants.withdraw(request.body.grant_code, BUILT_IN_TAG, app.whereabouts.whence(request))
      return { status: 'revoked' as const }
    }
  })
}
