import { oauthOperations } from '../../../schemas/generated/oauth.js'
import { readScope } from '../../core/clients/scope.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

/**
 * GET /oauth/check: whether a proxy may pass on the request whose token this is. Nobody is counted here, for all requests of an
 * API come from the address of its proxy, and tokens that are not ours cost ten calls of the storage in a second
 * at most, however many there are (signing-keys.ts).
 */
export function checkToken(app: App): void {
  app.route({
    ...oauthOperations.checkToken,
    config: { takesAccessToken: true },
    handler: async (request, reply) => {
      const { resource, scope, ...others } = request.query
      const scopes = readScope(scope)
      if (!scopes) throw fault('invalid_scope')
      const token = request.bearerToken()
      if (token === undefined) throw fault('unauthenticated')
      // Elsewhere what is unknown is ignored. Here a name that is misspelt would be a condition that nobody looks at.
      if (Object.keys(others).length > 0)
        throw fault('invalid_request', { hint: 'There is more than resource and scope' })
      const { authorization, scope: ofToken } = await app.core.tokens.check(token, resource, scopes)
      // All of them, even if empty: proxies leave a header as the sender of the request set it if the answer does not have it.
      reply.headers({
        'x-auth-subject': inAscii(authorization.userId),
        'x-auth-client': authorization.clientId,
        'x-auth-scope': ofToken,
        'x-auth-authorization': authorization.id
      })
      return reply.code(204).send(null)
    }
  })
}

/**
 * Whatever is no visible ASCII is percent-encoded, because a header cannot hold it, or loses it at its ends. So is the per cent sign,
 * so that it can be decoded.
 */
const inAscii = (text: string) => text.replaceAll(/[^!-$&-~]+/gu, encodeURIComponent)
