/** The two doors to a grant: the device authorization, and the one of browsers, which is closed. */
import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT, requireGrantType } from '../../core/clients/client.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { beginGrant, readAsked, readClaims } from '../grant-start.js'

/** POST /oauth/device_authorization (RFC 8628 §3.1): starts a grant for a client that is known. */
export function authorizeDevice(app: App): void {
  const limitFetches = app.limits.perAddress('client-metadata')

  app.route({
    ...oauthOperations.authorizeDevice,
    // The document of a client may have to be fetched. What waits for the storage has the time that it has everywhere.
    config: { waitsForOthers: true },
    onRequest: app.limitTime(app.limits.perAddress('start')),
    handler: async (request) => {
      const proved = await app.withinTimeLimit(request, Promise.resolve(app.authenticateClient(request)))
      const admit = () => app.withinTimeLimit(request, limitFetches(request))
      const client = await app.core.clients.describe(proved, admit)
      requireGrantType(client, DEVICE_CODE_GRANT)
      const metadata = readClaims(client, request, request.body)
      const asked = { clientId: client.id, clientType: client.type, ...readAsked(client, request.body), metadata }
      const { grantCode, answer } = await app.withinTimeLimit(request, beginGrant(app, request, asked))
      return { device_code: grantCode, ...answer }
    }
  })
}

/** GET /oauth/authorize (RFC 6749 §3.1): refuses, and says where to go instead. */
export function authorize(app: App): void {
  app.route({
    ...oauthOperations.authorize,
    handler: async () => {
      throw fault('unsupported_response_type')
    }
  })
}
