/** What is done with a token that somebody presents: introspection and revocation. */
import type { FastifyRequest } from 'fastify'
import {
  type IntrospectionResponse,
  oauthOperations,
  type RevocationRequest
} from '../../../schemas/generated/oauth.js'
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
      const { client, name } = await identify(request)
      await limit(request, name)
      const facts = await app.core.tokens.introspect(client, request.body.token)
      return facts ? render(facts, app.config.publicUrl) : { active: false }
    }
  })

  /** Who asks, a client or an API key, and the name under which its requests are counted. */
  async function identify(request: FastifyRequest): Promise<{ client: Client | undefined; name: string }> {
    const body = request.body as { client_id?: string; client_secret?: string }
    const bearer = request.bearerToken()
    if (bearer !== undefined && !body.client_secret) {
      const key = await app.core.callers.identifyApiKey(bearer, 'introspect')
      return { client: undefined, name: `key ${key.id}` }
    }
    const isAnonymous = request.headers.authorization === undefined && !body.client_id
    if (isAnonymous) throw fault('invalid_client', { detail: 'no credentials' })
    const client = await app.authenticateClient(request)
    if (isPublic(client)) throw fault('invalid_client', { detail: 'a public client' })
    return { client, name: `client ${client.id}` }
  }
}

function render(facts: TokenFacts, issuer: string): IntrospectionResponse {
  const { kind, id, authorization, scope, issuedAtSeconds, expiresAtSeconds } = facts
  return {
    active: true,
    ...(scope !== '' && { scope }),
    client_id: authorization.clientId,
    ...(kind === 'access_token' && { token_type: 'Bearer', aud: issuer }),
    exp: expiresAtSeconds,
    iat: issuedAtSeconds,
    sub: authorization.userId,
    iss: issuer,
    jti: id
  }
}

/**
 * POST /oauth/revoke (RFC 7009): ends the authorization behind a token of the client's own, or the grant behind a device code of
 * its own; says the same to any other. Whoever names no client may end what is a public client's, by having it: such a client can
 * prove no more. What is a confidential client's is then refused (§2.1).
 */
export function revokeToken(app: App): void {
  const { grants, tokens } = app.core

  app.route({
    ...oauthOperations.revokeToken,
    onRequest: app.limits.perAddress('revoke'),
    handler: async (request) => {
      const { token } = request.body
      if (!namesClient(request, request.body)) await endHeld(token)
      else {
        const client = await app.authenticateClient(request)
        // The hint is not needed (RFC 7009 §2.1): what is no device code is unknown to the grants, mostly without a look.
        const { kind } = await grants.withdraw(token, client.tag)
        if (kind === 'unknown') await tokens.revoke(client, token)
      }
      return {}
    }
  })

  async function endHeld(token: string): Promise<void> {
    const { kind } = await grants.withdrawHeld(token)
    const outcome = kind === 'unknown' ? await tokens.revoke(undefined, token) : kind
    if (outcome === 'not_public') throw fault('invalid_client', { detail: 'no credentials of a confidential client' })
  }
}

function namesClient(
  { headers }: FastifyRequest,
  { client_id: id, client_secret: secret }: RevocationRequest
): boolean {
  return headers.authorization !== undefined || Boolean(id) || Boolean(secret)
}
