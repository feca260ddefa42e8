/** What a program does with a grant beside polling: starts it, and withdraws it. */
import { dashboardOperations, type SentClientMetadata } from '../../../schemas/generated/dashboard.js'
import { BUILT_IN_TAG, DEVICE_CODE_GRANT, requireDeviceScopes } from '../../core/clients/client.js'
import type { SentResources } from '../../core/clients/resource.js'
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
      // The operator may have switched it off, or its device grant (OAUTH_CLIENTS_FILE).
      if (!client?.grantTypes.includes(DEVICE_CODE_GRANT)) {
        throw fault('invalid_request', { hint: 'client_type is not allowed here' })
      }
      const wanted = namesNothing(request.body) ? NOTHING : readAsked(client, request.body)
      requireDeviceScopes(client, wanted.scopes)
      const asked = { clientId: client.id, clientType, ...wanted }
      const { grantCode, answer } = await beginGrant(app, request, { ...asked, metadata: pickMetadata(sent ?? {}) })
      return { grant_code: grantCode, ...answer }
    }
  })
}

/**
 * Programs from before there were resources name neither scopes nor resources. A default of the operator's is not for them: with a
 * token for an API they could not list and revoke here what they always could.
 */
function namesNothing({ scope = '', resource = '' }: { scope?: string; resource?: SentResources }): boolean {
  return [scope, ...[resource].flat()].every((text) => text === '')
}

const NOTHING = { scopes: [] }

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
