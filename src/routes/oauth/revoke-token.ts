import type { FastifyRequest } from 'fastify'
import { oauthOperations, type RevocationRequest } from '../../../schemas/generated/oauth.js'
import type { Whence } from '../../core/audit/event.js'
import { fault } from '../../core/fault.js'
import type { App } from '../app.js'

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
      const from = app.whereabouts.whence(request)
      if (!namesClient(request, request.body)) await endHeld(token, from)
      else {
        const client = await app.authenticateClient(request)
        // The hint is not needed (RFC 7009 §2.1): what is no device code is unknown to the grants, mostly without a look.
        const { kind } = await grants.withdraw(token, client.tag, from)
        if (kind === 'unknown') await tokens.revoke(client, token, from)
      }
      return {}
    }
  })

  async function endHeld(token: string, from: Whence): Promise<void> {
    const { kind } = await grants.withdrawHeld(token, from)
    const outcome = kind === 'unknown' ? await tokens.revoke(undefined, token, from) : kind
    if (outcome === 'not_public') throw fault('invalid_client', { detail: 'no credentials of a confidential client' })
  }
}

function namesClient(
  { headers }: FastifyRequest,
  { client_id: id, client_secret: secret }: RevocationRequest
): boolean {
  return headers.authorization !== undefined || Boolean(id) || Boolean(secret)
}
