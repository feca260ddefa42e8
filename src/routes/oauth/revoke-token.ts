import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'

/** POST /oauth/revoke (RFC 7009): ends the authorization behind a token of the client's own; says the same to any other. */
export function revokeToken(app: App): void {
  app.route({
    ...oauthOperations.revokeToken,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request, reply) => {
      const client = app.authenticateClient(request)
      const outcome = await app.core.tokens.revoke(client, request.body.token)
      if (outcome === 'revoked') app.metrics.countRevocation('token')
      // No content, which is not the same as JSON's null.
      return reply.send(undefined as unknown as null)
    }
  })
}
