import type { FastifyRequest } from 'fastify'
import { type IntrospectionResponse, oauthOperations } from '../../../schemas/generated/oauth.js'
import { type Client, isPublic } from '../../core/clients/client.js'
import { fault } from '../../core/fault.js'
import type { TokenFacts } from '../../core/tokens/tokens.js'
import type { App } from '../app.js'

/** POST /oauth/introspect (RFC 7662): what a token stands for, told to API keys and to clients that prove who they are. */
export function introspectToken(app: App): void {
  const limit = app.limits.perCaller('introspect')

  app.route({
    ...oauthOperations.introspectToken,
    config: { takesClientOrKey: true },
    handler: async (request) => {
      const { client, name } = await identifyIntrospector(app, request)
      await limit(request, name)
      const facts = await app.core.tokens.introspect(client, request.body.token)
      return facts ? render(facts, app.config.publicUrl) : { active: false }
    }
  })
}

/**
 * Who may ask about any token, a client that proves who it is or an API key with the right, and the name under which its requests
 * are counted. Rejects with `invalid_client`, `invalid_token` or `forbidden`.
 */
export async function identifyIntrospector(
  app: App,
  request: FastifyRequest
): Promise<{ client: Client | undefined; name: string }> {
  const { client_id: id, client_secret: secret } = (request.body ?? {}) as {
    client_id?: string
    client_secret?: string
  }
  const bearer = request.bearerToken()
  if (bearer !== undefined && !secret) {
    const key = await app.core.callers.identifyApiKey(bearer, 'introspect')
    return { client: undefined, name: `key ${key.id}` }
  }
  const isAnonymous = request.headers.authorization === undefined && !id
  if (isAnonymous) throw fault('invalid_client', { detail: 'no credentials' })
  const client = await app.authenticateClient(request)
  if (isPublic(client)) throw fault('invalid_client', { detail: 'a public client' })
  return { client, name: `client ${client.id}` }
}

function render(facts: TokenFacts, issuer: string): IntrospectionResponse {
  const { kind, id, authorization, audience, scope, issuedAtSeconds, expiresAtSeconds } = facts
  return {
    active: true,
    ...(scope !== '' && { scope }),
    client_id: authorization.clientId,
    ...(kind === 'access_token' && { token_type: 'Bearer', aud: audience }),
    exp: expiresAtSeconds,
    iat: issuedAtSeconds,
    sub: authorization.userId,
    iss: issuer,
    jti: id
  }
}
