import { oauthOperations } from '../../../schemas/generated/oauth.js'
import type { App } from '../app.js'

/** POST /oauth/revoke (RFC 7009): ends the authorization behind a token of the client's own; says the same to any other. */
export function revokeToken(app: App): void {
  app.route({
    ...oauthOperations.revokeToken,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request, reply) => {
      const client = app.authenticateClient(request)
      await app.core.tokens.revoke(client, request.body.token)
      // The answer has no content: JSON's null would be one.
      return reply.send(undefined as unknown as null)
    }
  })
}
