import { type IntrospectionResponse, oauthOperations } from '../../../schemas/generated/oauth.js'
import { fault } from '../../fault.js'
import type { TokenFacts } from '../../tokens/service.js'
import type { App } from '../app.js'

/** POST /oauth/introspect (RFC 7662): what a token stands for, told to clients that prove who they are. */
export function introspectToken(app: App): void {
  const limit = app.limits.perClient('introspect')

  app.route({
    ...oauthOperations.introspectToken,
    handler: async (request) => {
      const isAnonymous = request.headers.authorization === undefined && !request.body.client_id
      if (isAnonymous) throw fault('invalid_client', { detail: 'no credentials' })
      const client = app.authenticateClient(request)
      if (client.secretDigests.length === 0) throw fault('invalid_client', { detail: 'a public client' })
      await limit(request)
      const facts = await app.tokens.introspect(client, request.body.token)
      return facts ? render(facts, app.config.publicUrl) : { active: false }
    }
  })
}

function render(facts: TokenFacts, issuer: string): IntrospectionResponse {
  const { kind, authorizedClient, scope, issuedAtSeconds, expiresAtSeconds } = facts
  return {
    active: true,
    ...(scope !== '' && { scope }),
    client_id: authorizedClient.clientId,
    ...(kind === 'access_token' && { token_type: 'Bearer', aud: issuer }),
    exp: expiresAtSeconds,
    iat: issuedAtSeconds,
    sub: authorizedClient.userId,
    iss: issuer,
    jti: authorizedClient.id
  }
}
