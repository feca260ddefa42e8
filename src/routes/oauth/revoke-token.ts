import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'

/**
 * POST /oauth/revoke (RFC 7009): ends the authorization behind a token of the client's own, or the grant behind a device code of
 * its own; says the same to any other.
 */
export function revokeToken(app: App): void {
  app.route({
    ...oauthOperations.revokeToken,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request, reply) => {
      const client = app.authenticateClient(request)
      const { token } = request.body
      // The hint is not needed (RFC 7009 §2.1): what is no device code is unknown to the grants, mostly without a look.
      const { kind } = await app.core.grants.withdraw(token, client.tag)
      if (kind === 'unknown') await app.core.tokens.revoke(client, token)
      // The answer has no content: JSON's null would be one.
      return reply.send(undefined as unknown as null)
    }
  })
}
