import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { DEVICE_CODE_GRANT, requireDeviceScopes, requireGrantType } from '../../core/clients/client.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'
import { createDescribe } from '../described-client.js'
import { beginGrant, readAsked, readClaims } from '../grant-start.js'
import { isChallenge } from './authorization-request.js'

/** POST /oauth/device_authorization (RFC 8628 §3.1): starts a grant for a client that is known. */
export function authorizeDevice(app: App): void {
  const describe = createDescribe(app)

  app.route({
    ...oauthOperations.authorizeDevice,
    // The document of a client may have to be fetched. What waits for the storage has the time that it has everywhere.
    config: { waitsForOthers: true },
    onRequest: app.limitTime(app.limits.perAddress('start')),
    handler: async (request) => {
      const proved = await app.withinTimeLimit(request, Promise.resolve(app.authenticateClient(request)))
      const client = await describe(request, proved)
      requireGrantType(client, DEVICE_CODE_GRANT)
      const wanted = readAsked(client, request.body)
      requireDeviceScopes(client, wanted.scopes)
      const asked = {
        ...{ clientId: client.id, clientType: client.type, ...wanted },
        ...{ metadata: readClaims(client, request, request.body), ...readChallenge(request.body) }
      }
      const { grantCode, answer } = await app.withinTimeLimit(request, beginGrant(app, request, asked))
      return { device_code: grantCode, ...answer }
    }
  })
}

interface Sent {
  code_challenge?: string
  code_challenge_method?: string
}

/** PKCE on a device code is a client's choice, which begins with a challenge. By another method than S256 it would protect nothing. */
function readChallenge({ code_challenge: challenge, code_challenge_method: method }: Sent): { codeChallenge?: string } {
  if (!challenge) return {}
  if (method !== 'S256') throw fault('invalid_request', { hint: 'code_challenge_method must be S256' })
  if (!isChallenge(challenge))
    throw fault('invalid_request', { hint: 'code_challenge must be the base64url of a SHA-256' })
  return { codeChallenge: challenge }
}
